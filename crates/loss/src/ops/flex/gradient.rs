//! From the product of a form to the gradient for the embeddings, block by block of features. Both forms end here.

use super::columns::{Moments, Sums};
use super::simd::wide;

/// What the backward pass needs of the gradient of the packed sums.
#[derive(Clone, Copy)]
pub(super) struct Weights {
    /// w₀ / N, of Σ (1 − c_ii)².
    invariance: f32,
    /// w₁ / N, of Σ_{i≠j} c_ij².
    redundancy: f32,
    n: usize,
}

impl Weights {
    pub fn of(gradient: &[f32], n: usize) -> Self {
        let count = n as f32;
        Self {
            invariance: gradient[0] / count,
            redundancy: gradient[1] / count,
            n,
        }
    }

    /// Factor on the product with C: 2 w₁ / N.
    pub fn of_correlation(self) -> f32 {
        2.0 * self.redundancy
    }

    /// Factor on the product with a Gram matrix: 2 w₁ / N².
    pub fn of_gram(self) -> f32 {
        2.0 * self.redundancy / self.n as f32
    }

    /// What the other view's feature gets besides: (−2 w₀ (1 − c_ii) − 2 w₁ c_ii) / N, as the product counts the diagonal as if it were
    /// off the diagonal.
    fn of_diagonal(self, c: f32) -> f32 {
        -2.0 * self.invariance * (1.0 - c) - 2.0 * self.redundancy * c
    }
}

/// A block of features in a matrix of `stride` floats a row.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub data: &'a [f32],
    pub start: usize,
    pub stride: usize,
}

impl<'a> Rows<'a> {
    fn iter(self, width: usize) -> impl Iterator<Item = &'a [f32]> {
        self.data
            .chunks_exact(self.stride)
            .map(move |row| &row[self.start..self.start + width])
    }
}

/// Writes the gradient for a block of one view's embeddings to `out`, row by row.
///
/// `product` [n, width] comes with its `factor` still to be applied and is overwritten; `own` and `other` are the standardised
/// views. slope = factor · product + v ⊙ other, then (slope − mean(slope) − own · mean(slope ⊙ own)) / σ.
pub(super) fn finish(
    (product, factor): (&mut [f32], f32),
    [own, other]: [Rows; 2],
    (weights, diagonal): (Weights, &[f32]),
    moments: &[Moments],
    out: &mut [&mut [f32]],
) {
    let width = moments.len();
    let count = out.len() as f64;
    let slopes: Vec<f32> = diagonal.iter().map(|&c| weights.of_diagonal(c)).collect();
    let (mut means, mut tilts) = (Sums::new(width), Sums::new(width));
    wide(|| {
        let rows = product
            .chunks_exact_mut(width)
            .zip(own.iter(width).zip(other.iter(width)));
        for (product, (own, other)) in rows {
            for ((x, other), slope) in product.iter_mut().zip(other).zip(&slopes) {
                *x = factor * *x + slope * other;
            }
            means.add(|k| product[k]);
            tilts.add(|k| product[k] * own[k]);
        }
    });
    let mean: Vec<f32> = means.take().into_iter().map(|sum| (sum / count) as f32).collect();
    let tilt: Vec<f32> = tilts.take().into_iter().map(|sum| (sum / count) as f32).collect();
    let inverse: Vec<f32> = moments.iter().map(|m| m.inverse_std).collect();
    wide(|| {
        let rows = product.chunks_exact(width).zip(own.iter(width)).zip(out);
        for ((slope, own), out) in rows {
            let own = &own[..width];
            let out = &mut out[..width];
            for k in 0..width {
                out[k] = (slope[k] - mean[k] - own[k] * tilt[k]) * inverse[k];
            }
        }
    });
}
