//! From the product of a form to the gradient for the embeddings. Both forms end here.
//!
//! For the standardised view, slope = factor · product + v ⊙ other view; for the embeddings (slope − mean(slope) − own ·
//! mean(slope ⊙ own)) / σ, means over the batch. As the other view is centred, mean(slope) is zero but for rounding.

use super::columns::MomentsRef;
use super::sums::Sums;
use super::wide::wide;

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

    /// v, (−2 w₀ (1 − c_ii) − 2 w₁ c_ii) / N: the product counts the diagonal as if it were off the diagonal.
    pub fn of_diagonal(self, diagonal: &[f32]) -> Vec<f32> {
        let slope = |&c: &f32| -2.0 * self.invariance * (1.0 - c) - 2.0 * self.redundancy * c;
        diagonal.iter().map(slope).collect()
    }

    /// mean(slope ⊙ own) by C alone: Σ_j c_ij dL/dc_ij / N, from c_ii and Σ_{j≠i} c_ij².
    pub fn tilts(self, diagonal: &[f32], squares: &[f32]) -> Vec<f32> {
        let tilt =
            |(&c, &squares): (&f32, &f32)| 2.0 * self.redundancy * squares - 2.0 * self.invariance * (1.0 - c) * c;
        diagonal.iter().zip(squares).map(tilt).collect()
    }
}

/// Writes the gradient for a block of features, whole columns of it, to `out` row by row.
///
/// `product`, `own` and `other` are [n, width]; `product` is overwritten.
pub(super) fn finish_columns(
    (product, factor): (&mut [f32], f32),
    [own, other]: [&[f32]; 2],
    slopes: &[f32],
    moments: MomentsRef<'_>,
    out: &mut [&mut [f32]],
) {
    let width = slopes.len();
    let (mut means, mut tilts) = (Sums::new(width), Sums::new(width));
    add_slopes(product, factor, own, other, slopes, &mut means, &mut tilts);
    let [means, tilts] = [means, tilts].map(|mut sums| sums.means(out.len()).map(|x| x as f32).collect::<Vec<_>>());
    write_columns(product, own, &means, &tilts, moments.inverse_std, out);
}

wide! {
    fn add_slopes(
        product: &mut [f32],
        factor: f32,
        own: &[f32],
        other: &[f32],
        slopes: &[f32],
        means: &mut Sums,
        tilts: &mut Sums,
    ) {
        let width = slopes.len();
        let views = own.chunks_exact(width).zip(other.chunks_exact(width));
        for (product, (own, other)) in product.chunks_exact_mut(width).zip(views) {
            for ((x, other), slope) in product.iter_mut().zip(other).zip(slopes) {
                *x = factor * *x + slope * other;
            }
            means.add(product);
            tilts.add_products(product, own);
        }
    }

    fn write_columns(
        slopes: &[f32],
        own: &[f32],
        means: &[f32],
        tilts: &[f32],
        inverse_std: &[f32],
        out: &mut [&mut [f32]],
    ) {
        let width = means.len();
        for ((slope, own), out) in slopes.chunks_exact(width).zip(own.chunks_exact(width)).zip(out) {
            let columns = means.iter().zip(tilts).zip(inverse_std);
            let rows = out.iter_mut().zip(slope).zip(own);
            for (((out, slope), own), ((mean, tilt), inverse_std)) in rows.zip(columns) {
                *out = (slope - mean - own * tilt) * inverse_std;
            }
        }
    }

    /// Turns whole rows of a product, [rows, d], into the gradient for the embeddings, in place. `tilts` are known beforehand, so no
    /// other row matters.
    pub(super) fn finish_rows(
        product: &mut [f32],
        factor: f32,
        own: &[f32],
        other: &[f32],
        slopes: &[f32],
        tilts: &[f32],
        inverse_std: &[f32],
    ) {
        let d = slopes.len();
        let views = own.chunks_exact(d).zip(other.chunks_exact(d));
        for (product, (own, other)) in product.chunks_exact_mut(d).zip(views) {
            let columns = slopes.iter().zip(tilts).zip(inverse_std);
            let rows = product.iter_mut().zip(own).zip(other);
            for (((x, own), other), ((slope, tilt), inverse_std)) in rows.zip(columns) {
                *x = (factor * *x + slope * other - own * tilt) * inverse_std;
            }
        }
    }
}
