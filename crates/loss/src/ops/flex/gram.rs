//! The Gram form on the CPU: one forward and one backward pass over the embeddings, with two [N, N] matrices saved in between.

use std::ops::Range;

use barlow_simd::scratch;
use burn_flex::{Flex, FlexTensor};
use gemm::Parallelism;
use rayon::prelude::*;

use super::buffers::{BLOCK_A, BLOCK_B, PRODUCT};
use super::columns::{ColumnMoments, EmbeddingLayout, MomentsRef, diagonal, measure, standardise};
use super::diagonal::DiagonalSums;
use super::gradient::{TermWeights, finish_columns};
use super::matmul::{Strides, multiply, threads_each};
use super::tensors::tensor;
use crate::ops::Forward;

/// Floats per block of one view, which is its share of the private cache of a core.
const BLOCK_FLOATS: usize = 1 << 15;

/// Features per block.
fn width(layout: EmbeddingLayout) -> usize {
    (BLOCK_FLOATS / layout.n)
        .next_multiple_of(16)
        .clamp(128, 1024)
        .min(layout.d)
}

/// A part of the features, with its own partial sums of both Gram matrices.
struct GramPart {
    moments: [ColumnMoments; 2],
    diagonal: Vec<f32>,
    grams: [Vec<f32>; 2],
}

pub(super) fn forward(layout: EmbeddingLayout, z: [&[f32]; 2], epsilon: f64, keep: bool) -> Forward<Flex> {
    let EmbeddingLayout { n, d } = layout;
    let blocks = d.div_ceil(width(layout));
    let parts = parts(layout, blocks);
    let threads = threads_each(parts);
    // The blocks of a part are fixed, not work-stolen, so the order of all sums and their bytes are fixed, too.
    let mut parts = (0..parts)
        .into_par_iter()
        .map(|part| accumulate(layout, z, epsilon, share(blocks, part, parts), threads))
        .collect::<Vec<_>>()
        .into_iter();
    let mut all = parts.next().expect("at least one part");
    for part in parts {
        for (all, part) in all.grams.iter_mut().zip(part.grams) {
            all.par_chunks_mut(n).zip(part.par_chunks(n)).for_each(|(all, part)| {
                all.iter_mut().zip(part).for_each(|(all, part)| *all += part);
            });
        }
        all.diagonal.extend(part.diagonal);
        all.moments
            .iter_mut()
            .zip(part.moments)
            .for_each(|(all, part)| all.extend(part));
    }

    let squares = inner_product(&all.grams, n) / (n as f64).powi(2);
    let sums = DiagonalSums::of(&all.diagonal);
    let kept = if keep {
        all.grams.iter_mut().for_each(|gram| mirror(gram, n));
        let [moments_a, moments_b] = all.moments.map(ColumnMoments::store);
        let [gram_a, gram_b] = all.grams.map(|gram| tensor(gram, [n, n]));
        vec![moments_a, moments_b, tensor(all.diagonal, [d]), gram_a, gram_b]
    } else {
        Vec::<FlexTensor>::new()
    };
    Forward {
        sums: sums.pack(squares - sums.squares),
        kept,
    }
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
    let &[moments_a, moments_b, diagonal, gram_a, gram_b] = kept else {
        panic!("gram: the forward pass saves five tensors, not {}", kept.len());
    };
    let width = width(layout);
    let mut gradients = wanted.map(|wanted| wanted.then(|| vec![0.0; n * d]));
    let [out_a, out_b] = gradients.each_mut().map(|gradient| match gradient {
        Some(gradient) => layout.cut(gradient, width).into_iter().map(Some).collect(),
        None => (0..d.div_ceil(width)).map(|_| None).collect::<Vec<_>>(),
    });
    let threads = threads_each(d.div_ceil(width));
    let blocks = out_a.into_par_iter().zip(out_b).enumerate();
    blocks.for_each(|(index, (out_a, out_b))| {
        let features = layout.block(index, width);
        let floats = n * features.len();
        let moments = [moments_a, moments_b].map(|stored| MomentsRef::load(stored, features.clone()));
        let of_diagonal = weights.of_diagonal(&diagonal[features.clone()]);
        scratch::with(BLOCK_A, floats, |a| {
            scratch::with(BLOCK_B, floats, |b| {
                standardise(z[0], d, features.clone(), moments[0], a);
                standardise(z[1], d, features.clone(), moments[1], b);
                let [a, b] = [&*a, &*b];
                let block = |gram, [own, other]: [&[f32]; 2], moments, mut out: Vec<&mut [f32]>| {
                    scratch::with(PRODUCT, floats, |product| {
                        let rows = Strides::rows(of_diagonal.len());
                        // A Gram matrix is symmetric, and packing it column-major is faster.
                        let (sizes, left) = ([n, of_diagonal.len(), n], (gram, Strides::columns(n)));
                        multiply(sizes, (product, rows), left, (own, rows), false, threads);
                        let product = (product, weights.of_gram());
                        finish_columns(product, [own, other], &of_diagonal, moments, &mut out);
                    });
                };
                if let Some(out) = out_a {
                    block(gram_b, [a, b], moments[0], out);
                }
                if let Some(out) = out_b {
                    block(gram_a, [b, a], moments[1], out);
                }
            });
        });
    });
    gradients
}

/// Number of parts that the blocks are split into: one per thread, limited so that their Gram matrices (two per part) need at
/// most about twice the memory of the embeddings.
fn parts(EmbeddingLayout { n, d }: EmbeddingLayout, blocks: usize) -> usize {
    rayon::current_num_threads().min(blocks).min(2 * d / n).max(1)
}

/// The blocks of a part.
fn share(blocks: usize, part: usize, parts: usize) -> Range<usize> {
    blocks * part / parts..blocks * (part + 1) / parts
}

/// Statistics, diagonal and the lower triangles of both Gram matrices (their upper triangles are unspecified) of some blocks.
fn accumulate(
    layout: EmbeddingLayout,
    z: [&[f32]; 2],
    epsilon: f64,
    blocks: Range<usize>,
    threads: Parallelism,
) -> GramPart {
    let n = layout.n;
    let mut part = GramPart {
        moments: Default::default(),
        diagonal: vec![],
        grams: [vec![0.0; n * n], vec![0.0; n * n]],
    };
    for index in blocks {
        let features = layout.block(index, width(layout));
        let width = features.len();
        scratch::with(BLOCK_A, n * width, |a| {
            scratch::with(BLOCK_B, n * width, |b| {
                part.moments[0].extend(measure(layout, z[0], features.clone(), epsilon, a));
                part.moments[1].extend(measure(layout, z[1], features.clone(), epsilon, b));
                part.diagonal.extend(diagonal(a, b, width));
                add_gram(&mut part.grams[0], a, [n, width], threads);
                add_gram(&mut part.grams[1], b, [n, width], threads);
            });
        });
    }
    part
}

/// gram += block · blockᵀ on and below the diagonal, in panels of rows: a little more than half of the operations.
fn add_gram(gram: &mut [f32], block: &[f32], [n, width]: [usize; 2], threads: Parallelism) {
    let height = panel(n);
    for start in (0..n).step_by(height) {
        let end = (start + height).min(n);
        multiply(
            [end - start, end, width],
            (&mut gram[start * n..], Strides::rows(n)),
            (&block[start * width..], Strides::rows(width)),
            (block, Strides::columns(width)),
            true,
            threads,
        );
    }
}

/// Rows per panel: enough for an efficient product.
fn panel(n: usize) -> usize {
    (n / 4).next_multiple_of(64).max(64)
}

/// ⟨A, B⟩ of two symmetric matrices from their lower triangles, row by row in f64.
fn inner_product([a, b]: &[Vec<f32>; 2], n: usize) -> f64 {
    let rows = a.par_chunks(n).zip(b.par_chunks(n)).enumerate();
    let sums: Vec<f64> = rows
        .map(|(row, (a, b))| {
            let product = |(a, b): (&f32, &f32)| f64::from(*a) * f64::from(*b);
            let below: f64 = a[..row].iter().zip(&b[..row]).map(product).sum();
            2.0 * below + product((&a[row], &b[row]))
        })
        .collect();
    sums.into_iter().sum()
}

/// Copies the lower triangle to the upper one.
fn mirror(gram: &mut [f32], n: usize) {
    const TILE: usize = 32;
    for tile in (0..n).step_by(TILE) {
        for row in tile..n {
            for column in tile..(tile + TILE).min(row) {
                gram[column * n + row] = gram[row * n + column];
            }
        }
    }
}
