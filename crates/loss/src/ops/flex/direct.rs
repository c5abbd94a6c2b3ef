//! The direct form on the CPU: C by one product, its sums by rows; backward by C itself, so that there is no second D × D
//! matrix, in runs of whole rows of the embeddings, which are standardised once more in the cache.

use burn_flex::Flex;
use rayon::prelude::*;

use super::columns::{Layout, Moments, MomentsRef, standardise};
use super::gradient::{Weights, finish_rows};
use super::matmul::{Strides, multiply, threads_each};
use super::rows;
use super::scratch::{Use, with};
use super::sums::Sums;
use super::wide::wide;
use super::{DiagonalSums, Forward, tensor};

/// Rows of C that are summed by one task.
const PANEL: usize = 64;

pub(super) fn forward(layout: Layout, z: [&[f32]; 2], epsilon: f64, keep: bool) -> Forward<Flex> {
    let Layout { n, d } = layout;
    let [(a, moments_a), (b, moments_b)] = z.map(|z| rows::measure(layout, z, epsilon));
    let mut c = vec![0.0; d * d];
    let (left, right) = ((&a[..], Strides::columns(d)), (&b[..], Strides::rows(d)));
    multiply(
        [d, d, n],
        (&mut c, Strides::rows(d)),
        left,
        right,
        false,
        threads_each(1),
    );
    let panels: Vec<Panel> = c
        .par_chunks_mut(PANEL * d)
        .enumerate()
        .map(|(index, rows)| Panel::of(rows, index * PANEL, d, n))
        .collect();

    let redundancy = panels.iter().map(|panel| panel.redundancy).sum();
    let diagonal: Vec<f32> = panels.iter().flat_map(|panel| panel.diagonal.iter().copied()).collect();
    let sums = DiagonalSums::of(&diagonal).pack(redundancy);
    let kept = if keep {
        let squares_a = panels.iter().flat_map(|panel| panel.rows.iter().copied()).collect();
        let squares_b = (0..d)
            .map(|j| panels.iter().map(|panel| panel.columns[j]).sum::<f64>() as f32)
            .collect();
        let squares = [squares_a, squares_b].map(|squares| tensor::<1>(squares, [d]));
        let [squares_a, squares_b] = squares;
        let [moments_a, moments_b] = [moments_a, moments_b].map(Moments::store);
        vec![
            moments_a,
            moments_b,
            squares_a,
            squares_b,
            tensor(diagonal, [d]),
            tensor(c, [d, d]),
        ]
    } else {
        vec![]
    };
    Forward { sums, kept }
}

/// Gradients for the embeddings, [n, d] row-major, where wanted.
pub(super) fn backward(
    layout: Layout,
    z: [&[f32]; 2],
    kept: &[&[f32]],
    weights: Weights,
    wanted: [bool; 2],
) -> [Option<Vec<f32>>; 2] {
    let Layout { n, d } = layout;
    let &[moments_a, moments_b, squares_a, squares_b, diagonal, c] = kept else {
        panic!("direct: forward keeps six tensors, not {}", kept.len());
    };
    let moments = [moments_a, moments_b].map(|stored| MomentsRef::load(stored, 0..d));
    let tilts = [squares_a, squares_b].map(|squares| weights.tilts(diagonal, squares));
    let slopes = weights.of_diagonal(diagonal);
    // Z_b · Cᵀ for view a, Z_a · C for view b.
    let right = [(c, Strides::columns(d)), (c, Strides::rows(d))];
    let floats = rows::run(layout) * d;
    let count = n.div_ceil(rows::run(layout));
    let threads = threads_each(count);
    let run = |index: usize, outs: [Option<&mut [f32]>; 2]| {
        let start = index * floats;
        let end = (start + floats).min(n * d);
        let run = end - start;
        with(Use::BlockA, run, |a| {
            with(Use::BlockB, run, |b| {
                standardise(&z[0][start..end], d, 0..d, moments[0], a);
                standardise(&z[1][start..end], d, 0..d, moments[1], b);
                let views = [&*a, &*b];
                for (view, out) in outs.into_iter().enumerate() {
                    let Some(out) = out else { continue };
                    let [own, other] = [views[view], views[1 - view]];
                    let product = (&mut *out, Strides::rows(d));
                    let sizes = [run / d, d, d];
                    multiply(sizes, product, (other, Strides::rows(d)), right[view], false, threads);
                    let factor = weights.of_correlation();
                    finish_rows(
                        out,
                        factor,
                        own,
                        other,
                        &slopes,
                        &tilts[view],
                        moments[view].inverse_std,
                    );
                }
            });
        });
    };

    let mut gradients = wanted.map(|wanted| wanted.then(|| vec![0.0; n * d]));
    let [a, b] = gradients.each_mut().map(|gradient| runs(gradient, floats, count));
    a.into_par_iter()
        .zip(b)
        .enumerate()
        .for_each(|(index, (a, b))| run(index, [a, b]));
    gradients
}

/// The `count` runs of a gradient, or as many times nothing.
fn runs(gradient: &mut Option<Vec<f32>>, floats: usize, count: usize) -> Vec<Option<&mut [f32]>> {
    match gradient {
        Some(gradient) => gradient.chunks_mut(floats).map(Some).collect(),
        None => (0..count).map(|_| None).collect(),
    }
}

/// Some rows of C and what is summed over them.
struct Panel {
    diagonal: Vec<f32>,
    /// Σ_{j≠i} c_ij² of each row.
    rows: Vec<f32>,
    /// Σ_{i≠j} c_ij² of each column, over these rows.
    columns: Vec<f64>,
    redundancy: f64,
}

impl Panel {
    /// Divides rows `first`.. of N · C by N and sums them.
    fn of(panel: &mut [f32], first: usize, d: usize, n: usize) -> Self {
        let mut columns = Sums::new(d);
        let (mut diagonal, mut rows) = (vec![], vec![]);
        let mut redundancy = 0.0;
        for (index, c) in panel.chunks_exact_mut(d).enumerate() {
            let mut sum = 0.0;
            let c_ii = c[first + index] / n as f32;
            // The sums are of the rest: zero in its place, for the time being.
            c[first + index] = 0.0;
            divide_and_sum(c, n as f32, &mut sum, &mut columns);
            c[first + index] = c_ii;
            diagonal.push(c_ii);
            rows.push(sum as f32);
            redundancy += sum;
        }
        Self {
            diagonal,
            rows,
            columns: columns.means(1).collect(),
            redundancy,
        }
    }
}

wide! {
    /// Divides a row by `n` and adds its squares up: over the row in 16 lanes of 32 bits over short runs, in 64 bits beyond.
    fn divide_and_sum(row: &mut [f32], n: f32, total: &mut f64, columns: &mut Sums) {
        const LANES: usize = 16;
        for run in row.chunks_mut(16 * LANES) {
            run.iter_mut().for_each(|c| *c /= n);
            let mut lanes = [0.0f32; LANES];
            let chunks = run.chunks_exact(LANES);
            let rest = chunks.remainder();
            for chunk in chunks {
                lanes.iter_mut().zip(chunk).for_each(|(lane, x)| *lane += x * x);
            }
            lanes.iter_mut().zip(rest).for_each(|(lane, x)| *lane += x * x);
            *total += f64::from(lanes.iter().sum::<f32>());
        }
        columns.add_products(row, row);
    }
}
