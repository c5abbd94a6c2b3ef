//! Gradient of the embeddings from the matrix product of a form, for both forms.
//!
//! The gradient of the standardised view is g = factor · product + v ⊙ other view. The gradient of the embeddings is
//! (g − mean(g) − own · mean(g ⊙ own)) / σ, with means over the batch. As the other view is centred, mean(g) is zero up to
//! rounding.

use barlow_simd::{Level, vectorised};

use super::columns::MomentsRef;
use super::sums::ColumnSums;

/// The gradient of the packed sums, scaled for the backward pass.
#[derive(Clone, Copy)]
pub(super) struct TermWeights {
    /// w₀ / N, for Σ (1 − c_ii)².
    invariance: f32,
    /// w₁ / N, for Σ_{i≠j} c_ij².
    redundancy: f32,
    n: usize,
}

impl TermWeights {
    pub fn of(gradient: &[f32], n: usize) -> Self {
        let count = n as f32;
        Self {
            invariance: gradient[0] / count,
            redundancy: gradient[1] / count,
            n,
        }
    }

    /// Factor of the product with C: 2 w₁ / N.
    pub fn of_correlation(self) -> f32 {
        2.0 * self.redundancy
    }

    /// Factor of the product with a Gram matrix: 2 w₁ / N².
    pub fn of_gram(self) -> f32 {
        2.0 * self.redundancy / self.n as f32
    }

    /// v = (−2 w₀ (1 − c_ii) − 2 w₁ c_ii) / N, which corrects the product, where diagonal elements count as off-diagonal ones.
    pub fn of_diagonal(self, diagonal: &[f32]) -> Vec<f32> {
        let gradient = |&c: &f32| -2.0 * self.invariance * (1.0 - c) - 2.0 * self.redundancy * c;
        diagonal.iter().map(gradient).collect()
    }

    /// mean(g ⊙ own) computed only from C: Σ_j c_ij dL/dc_ij / N, from c_ii and Σ_{j≠i} c_ij².
    pub fn projections(self, diagonal: &[f32], squares: &[f32]) -> Vec<f32> {
        let projection =
            |(&c, &squares): (&f32, &f32)| 2.0 * self.redundancy * squares - 2.0 * self.invariance * (1.0 - c) * c;
        diagonal.iter().zip(squares).map(projection).collect()
    }
}

/// Writes the gradient of a block of features (whole columns) to `out`, row by row.
///
/// `product`, `own` and `other` are [n, width]; `product` is overwritten.
pub(super) fn finish_columns(
    (product, factor): (&mut [f32], f32),
    [own, other]: [&[f32]; 2],
    diagonal: &[f32],
    moments: MomentsRef<'_>,
    out: &mut [&mut [f32]],
) {
    let width = diagonal.len();
    let (mut means, mut projections) = (ColumnSums::new(width), ColumnSums::new(width));
    to_gradient(product, factor, own, other, diagonal, &mut means, &mut projections);
    let [means, projections] =
        [means, projections].map(|mut sums| sums.means(out.len()).map(|x| x as f32).collect::<Vec<_>>());
    write_columns(product, own, &means, &projections, moments.inverse_std, out);
}

vectorised! {
    max: Level::Avx2;

    /// Converts the product to g in place, and sums g and g ⊙ own over the batch.
    fn to_gradient<'a>(
        product: &'a mut [f32],
        factor: f32,
        own: &'a [f32],
        other: &'a [f32],
        diagonal: &'a [f32],
        means: &'a mut ColumnSums,
        projections: &'a mut ColumnSums,
    ) {
        let width = diagonal.len();
        let views = own.chunks_exact(width).zip(other.chunks_exact(width));
        for (product, (own, other)) in product.chunks_exact_mut(width).zip(views) {
            for ((x, other), v) in product.iter_mut().zip(other).zip(diagonal) {
                *x = factor * *x + v * other;
            }
            means.add(product);
            projections.add_products(product, own);
        }
    }

    fn write_columns<'a, 'b>(
        gradient: &'a [f32],
        own: &'a [f32],
        means: &'a [f32],
        projections: &'a [f32],
        inverse_std: &'a [f32],
        out: &'a mut [&'b mut [f32]],
    ) {
        let width = means.len();
        for ((gradient, own), out) in gradient.chunks_exact(width).zip(own.chunks_exact(width)).zip(out) {
            let columns = means.iter().zip(projections).zip(inverse_std);
            let rows = out.iter_mut().zip(gradient).zip(own);
            for (((out, g), own), ((mean, projection), inverse_std)) in rows.zip(columns) {
                *out = (g - mean - own * projection) * inverse_std;
            }
        }
    }

    /// Converts whole rows of a product, [rows, d], to the gradient of the embeddings in place. The `projections` are already
    /// known, so rows are independent.
    pub(super) fn finish_rows<'a>(
        product: &'a mut [f32],
        factor: f32,
        own: &'a [f32],
        other: &'a [f32],
        diagonal: &'a [f32],
        projections: &'a [f32],
        inverse_std: &'a [f32],
    ) {
        let d = diagonal.len();
        let views = own.chunks_exact(d).zip(other.chunks_exact(d));
        for (product, (own, other)) in product.chunks_exact_mut(d).zip(views) {
            let columns = diagonal.iter().zip(projections).zip(inverse_std);
            let rows = product.iter_mut().zip(own).zip(other);
            for (((x, own), other), ((v, projection), inverse_std)) in rows.zip(columns) {
                *x = (factor * *x + v * other - own * projection) * inverse_std;
            }
        }
    }
}
