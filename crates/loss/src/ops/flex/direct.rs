//! The direct form on the CPU: C in panels of rows, each summed while the cache holds it; backward by C itself, so that
//! there is no second D × D matrix.

use burn_flex::Flex;
use gemm::Parallelism;
use rayon::prelude::*;

use super::columns::{Layout, Moments, measure, standardise};
use super::gradient::{Rows, Weights, finish};
use super::matmul::{Strides, multiply};
use super::scratch::{Use, with};
use super::simd::wide;
use super::{DiagonalSums, Forward, tensor};

/// Features of a block, by D alone: enough blocks for many threads, wide enough for the product.
fn width(layout: Layout) -> usize {
    (layout.d / 8).next_multiple_of(16).clamp(16, 256).min(layout.d)
}

pub(super) fn forward(layout: Layout, z: [&[f32]; 2], epsilon: f64, keep: bool) -> Forward<Flex> {
    let Layout { n, d } = layout;
    let width = width(layout);
    let [(a, moments_a), (b, moments_b)] = z.map(|z| measured(layout, z, epsilon));
    let mut c = if keep { vec![0.0; d * d] } else { vec![] };
    let panel = |index: usize, c: &mut [f32]| {
        let features = layout.block(index, width);
        let left = (&a[features.start..], Strides::columns(d));
        let sizes = [features.len(), d, n];
        multiply(
            sizes,
            (c, Strides::rows(d)),
            left,
            (&b, Strides::rows(d)),
            false,
            Parallelism::None,
        );
        summed(c, features.start, d, n as f32)
    };
    let panels: Vec<(Vec<f32>, f64)> = if keep {
        let panels = c.par_chunks_mut(width * d).enumerate();
        panels.map(|(index, c)| panel(index, c)).collect()
    } else {
        let panels = (0..d.div_ceil(width)).into_par_iter();
        let run = |index| with(Use::Product, layout.block(index, width).len() * d, |c| panel(index, c));
        panels.map(run).collect()
    };
    let redundancy = panels.iter().map(|panel| panel.1).sum();
    let diagonal: Vec<f32> = panels.into_iter().flat_map(|panel| panel.0).collect();
    let sums = DiagonalSums::of(&diagonal).pack(redundancy);
    let kept = if keep {
        let [moments_a, moments_b] = [moments_a, moments_b].map(|moments| tensor(Moments::store(&moments), [d, 3]));
        vec![moments_a, moments_b, tensor(diagonal, [d]), tensor(c, [d, d])]
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
    let &[moments_a, moments_b, diagonal, c] = kept else {
        panic!("direct: forward keeps four tensors, not {}", kept.len());
    };
    let width = width(layout);
    let moments = [moments_a, moments_b];
    let standardised = [0, 1].map(|view| standardised(layout, z[view], moments[view]));
    // Z_b · Cᵀ for view a, Z_a · C for view b.
    let transposed = [true, false];
    [0, 1].map(|view| {
        wanted[view].then(|| {
            let mut gradient = vec![0.0; n * d];
            let [own, other] = [&standardised[view], &standardised[1 - view]];
            layout
                .cut(&mut gradient, width)
                .into_par_iter()
                .enumerate()
                .for_each(|(index, mut out)| {
                    let features = layout.block(index, width);
                    let width = features.len();
                    let right = if transposed[view] {
                        (&c[features.start * d..], Strides::columns(d))
                    } else {
                        (&c[features.start..], Strides::rows(d))
                    };
                    with(Use::Product, n * width, |product| {
                        let left = (&other[..], Strides::rows(d));
                        let rows = Strides::rows(width);
                        multiply([n, width, d], (product, rows), left, right, false, Parallelism::None);
                        let views = [own, other].map(|data| Rows {
                            data,
                            start: features.start,
                            stride: d,
                        });
                        let moments = Moments::load(moments[view], features.clone());
                        let diagonal = (weights, &diagonal[features]);
                        finish((product, weights.of_correlation()), views, diagonal, &moments, &mut out);
                    });
                });
            gradient
        })
    })
}

/// The standardised view, [n, d], and its statistics.
fn measured(layout: Layout, z: &[f32], epsilon: f64) -> (Vec<f32>, Vec<Moments>) {
    let mut all = vec![0.0; layout.n * layout.d];
    let moments = by_blocks(layout, &mut all, |features, out| {
        measure(layout, z, features, epsilon, out)
    });
    (all, moments.concat())
}

/// The standardised view once more, [n, d].
fn standardised(layout: Layout, z: &[f32], moments: &[f32]) -> Vec<f32> {
    let mut all = vec![0.0; layout.n * layout.d];
    by_blocks(layout, &mut all, |features, out| {
        let moments = Moments::load(moments, features.clone());
        standardise(layout, z, features, &moments, out);
    });
    all
}

/// Fills `all` [n, d] block by block of features, each made in contiguous memory by `make`.
fn by_blocks<R: Send>(
    layout: Layout,
    all: &mut [f32],
    make: impl Fn(std::ops::Range<usize>, &mut [f32]) -> R + Sync,
) -> Vec<R> {
    let width = width(layout);
    let blocks = layout.cut(all, width).into_par_iter().enumerate();
    let fill = |(index, rows): (usize, Vec<&mut [f32]>)| {
        let features = layout.block(index, width);
        let width = features.len();
        with(Use::BlockA, layout.n * width, |block| {
            let result = make(features, block);
            rows.into_iter()
                .zip(block.chunks_exact(width))
                .for_each(|(row, block)| row.copy_from_slice(block));
            result
        })
    };
    blocks.map(fill).collect()
}

/// Divides a panel of N · C that begins with row `first` by N; its part of diag C, and Σ c_ij² beside it.
fn summed(panel: &mut [f32], first: usize, d: usize, n: f32) -> (Vec<f32>, f64) {
    let mut redundancy = 0.0;
    let rows = panel.chunks_exact_mut(d).enumerate();
    let diagonal = rows.map(|(row, c)| {
        wide(|| {
            c.iter_mut().for_each(|c| *c /= n);
            redundancy += sum_of_squares(&c[..first + row]) + sum_of_squares(&c[first + row + 1..]);
        });
        c[first + row]
    });
    let diagonal = diagonal.collect();
    (diagonal, redundancy)
}

/// In 16 lanes of 32 bits over short runs, in 64 bits beyond.
#[inline(always)]
fn sum_of_squares(values: &[f32]) -> f64 {
    const LANES: usize = 16;
    let mut total = 0.0;
    for run in values.chunks(32 * LANES) {
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
