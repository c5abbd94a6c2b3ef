//! The direct form on the CPU: computes C with one product and its sums row by row. The backward pass multiplies by C itself, so
//! that there is no second D × D matrix. It works on runs of whole rows of the embeddings, which are standardised again in the
//! cache.

use barlow_simd::{Level, scratch, vectorised};
use burn_flex::Flex;
use rayon::prelude::*;

use super::buffers::{BLOCK_A, BLOCK_B};
use super::columns::{ColumnMoments, EmbeddingLayout, MomentsRef, standardise};
use super::diagonal::DiagonalSums;
use super::gradient::{TermWeights, finish_rows};
use super::matmul::{Strides, multiply, threads_each};
use super::rows;
use super::sums::ColumnSums;
use super::tensors::tensor;
use crate::ops::Forward;

/// Number of rows of C summed by one task.
const PANEL: usize = 64;

pub(super) fn forward(layout: EmbeddingLayout, z: [&[f32]; 2], epsilon: f64, keep: bool) -> Forward<Flex> {
    let EmbeddingLayout { n, d } = layout;
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
        let [moments_a, moments_b] = [moments_a, moments_b].map(ColumnMoments::store);
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

/// Gradients with respect to the embeddings, [n, d] row-major, where requested.
pub(super) fn backward(
    layout: EmbeddingLayout,
    z: [&[f32]; 2],
    kept: &[&[f32]],
    weights: TermWeights,
    wanted: [bool; 2],
) -> [Option<Vec<f32>>; 2] {
    let EmbeddingLayout { n, d } = layout;
    let &[moments_a, moments_b, squares_a, squares_b, diagonal, c] = kept else {
        panic!("direct: the forward pass saves six tensors, not {}", kept.len());
    };
    let moments = [moments_a, moments_b].map(|stored| MomentsRef::load(stored, 0..d));
    let projections = [squares_a, squares_b].map(|squares| weights.projections(diagonal, squares));
    let of_diagonal = weights.of_diagonal(diagonal);
    // Z_b · Cᵀ for view a, Z_a · C for view b.
    let right = [(c, Strides::columns(d)), (c, Strides::rows(d))];
    let floats = rows::run(layout) * d;
    let count = n.div_ceil(rows::run(layout));
    let threads = threads_each(count);
    let run = |index: usize, outs: [Option<&mut [f32]>; 2]| {
        let start = index * floats;
        let end = (start + floats).min(n * d);
        let run = end - start;
        scratch::with(BLOCK_A, run, |a| {
            scratch::with(BLOCK_B, run, |b| {
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
                        &of_diagonal,
                        &projections[view],
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

/// The `count` runs of a gradient, or `count` times `None`.
fn runs(gradient: &mut Option<Vec<f32>>, floats: usize, count: usize) -> Vec<Option<&mut [f32]>> {
    match gradient {
        Some(gradient) => gradient.chunks_mut(floats).map(Some).collect(),
        None => (0..count).map(|_| None).collect(),
    }
}

/// Sums over a panel of rows of C.
struct Panel {
    diagonal: Vec<f32>,
    /// Σ_{j≠i} c_ij² of each row.
    rows: Vec<f32>,
    /// Σ_{i≠j} c_ij² of each column, over the rows of the panel.
    columns: Vec<f64>,
    redundancy: f64,
}

impl Panel {
    /// Divides rows `first`.. of N · C by N and sums them.
    fn of(panel: &mut [f32], first: usize, d: usize, n: usize) -> Self {
        let mut columns = ColumnSums::new(d);
        let (mut diagonal, mut rows) = (vec![0.0; panel.len() / d], vec![0.0; panel.len() / d]);
        divide_and_sum(panel, first, n as f32, &mut diagonal, &mut rows, &mut columns);
        Self {
            diagonal,
            redundancy: rows.iter().sum(),
            rows: rows.into_iter().map(|sum| sum as f32).collect(),
            columns: columns.means(1).collect(),
        }
    }
}

vectorised! {
    max: Level::Avx2;

    /// Divides rows `first`.. of a [D, D] matrix by `n`, copies the `diagonal`, and sums the squares of the other elements by row
    /// and by column.
    fn divide_and_sum<'a>(
        panel: &'a mut [f32],
        first: usize,
        n: f32,
        diagonal: &'a mut [f32],
        rows: &'a mut [f64],
        columns: &'a mut ColumnSums,
    ) {
        let d = panel.len() / rows.len();
        for (index, c) in panel.chunks_exact_mut(d).enumerate() {
            diagonal[index] = c[first + index] / n;
            // The sums exclude the diagonal, so it is temporarily zero.
            c[first + index] = 0.0;
            rows[index] = divide_and_sum_row(c, n);
            columns.add_products(c, c);
            c[first + index] = diagonal[index];
        }
    }
}

/// Divides a row by `n` and sums its squares: in 16 f32 lanes over short runs, in f64 across runs.
#[inline(always)]
fn divide_and_sum_row(row: &mut [f32], n: f32) -> f64 {
    const LANES: usize = 16;
    let mut total = 0.0;
    for run in row.chunks_mut(16 * LANES) {
        run.iter_mut().for_each(|c| *c /= n);
        let mut lanes = [0.0f32; LANES];
        let chunks = run.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            lanes.iter_mut().zip(chunk).for_each(|(lane, x)| *lane += x * x);
        }
        lanes.iter_mut().zip(rest).for_each(|(lane, x)| *lane += x * x);
        total += f64::from(lanes.iter().sum::<f32>());
    }
    total
}
