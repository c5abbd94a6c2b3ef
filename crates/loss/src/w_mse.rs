//! The whitening MSE loss (Ermolov, Siarohin, Sangineto, Sebe 2021, arXiv 2007.06346): the distance of two views after each
//! sub-batch is whitened.
//!
//! Follows the official code (htdt/self-supervised `methods/w_mse.py`, `methods/whitening.py`): the centred rows times the inverse
//! of the lower Cholesky factor of their unbiased covariance. That product is the Gram-Schmidt process on the features, which is
//! how it is computed here: it needs no covariance, whose condition number is the square.

use burn::tensor::{FloatDType, Int, Tensor, backend::Backend};

use crate::reference::{check_shapes, sum};
use crate::rows::unit_rows;

/// The least squared length of a feature that is divided by its length.
const LEAST_SQUARE: f64 = 1e-24;

/// Rows whitened within each sub-batch: features of mean 0, variance 1 (unbiased) and covariance 0. In f32, with the gradient
/// through all statistics.
///
/// A feature is whitened by those before it, as the Cholesky factor is triangular. Where the features of a sub-batch are linearly
/// dependent, the result is not meaningful: use at least 2 D rows.
///
/// # Shapes
///
/// - z: `[S · w, D]`, S sub-batches of w rows one after the other
/// - returns `[S · w, D]`
///
/// # Panics
///
/// If the rows are not whole sub-batches, or `sub_batch` is not above D.
pub fn whiten<B: Backend>(z: Tensor<B, 2>, sub_batch: usize) -> Tensor<B, 2> {
    let [n, d] = z.dims();
    assert!(
        d > 0 && sub_batch > d && n > 0 && n.is_multiple_of(sub_batch),
        "whitening [{n}, {d}] in sub-batches of {sub_batch}: whole sub-batches, and more rows than features"
    );
    let sub_batches = n / sub_batch;
    // A feature is a row here: a narrow part of the last axis gets a wrong gradient from Burn 0.21's fusion on WGPU.
    let z: Tensor<B, 3> = z.cast(FloatDType::F32).reshape([sub_batches, sub_batch, d]);
    let z = z.swap_dims(1, 2);
    let mut rest = z.clone() - z.mean_dim(2);
    let mut whitened = Vec::with_capacity(d);
    for feature in 0..d {
        let first = rest.clone().narrow(1, 0, 1);
        let length = first.clone().square().sum_dim(2).clamp_min(LEAST_SQUARE).sqrt();
        let unit = first / length;
        if feature + 1 < d {
            let others = rest.narrow(1, 1, d - feature - 1);
            let overlap = others.clone().matmul(unit.clone().transpose());
            rest = others - overlap.matmul(unit.clone());
        } else {
            rest = unit.clone();
        }
        whitened.push(unit);
    }
    let scale = ((sub_batch - 1) as f64).sqrt();
    let whitened = Tensor::cat(whitened, 1).mul_scalar(scale);
    whitened.swap_dims(1, 2).reshape([n, d])
}

/// The loss of two batches of embeddings; row k of both comes from image k.
///
/// ```text
/// w    = whiten(z[order])                  the same sub-batches for both views
/// loss = mean ‖u(w_a) − u(w_b)‖² = 2 − 2 mean cos(w_a, w_b)
/// ```
///
/// The gradient flows into both views.
///
/// # Shapes
///
/// - z_a, z_b: `[N, D]`
/// - order: `[M]` numbers of rows, M a multiple of `sub_batch`; a random permutation in training
/// - returns `[1]`
///
/// # Panics
///
/// If the shapes differ, N < 2 or D = 0, or as [`whiten`].
pub fn w_mse<B: Backend>(
    z_a: Tensor<B, 2>,
    z_b: Tensor<B, 2>,
    order: Tensor<B, 1, Int>,
    sub_batch: usize,
) -> Tensor<B, 1> {
    check_shapes(z_a.dims(), z_b.dims());
    let [rows] = order.dims();
    let [a, b] = [z_a, z_b].map(|z| unit_rows(whiten(z.select(0, order.clone()), sub_batch)));
    sum(a * b).mul_scalar(-2.0 / rows as f64).add_scalar(2.0)
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use crate::golden::{Diff, assert_golden, leaves, matrix};

    fn views(n: usize, d: usize) -> [Tensor<Diff, 2>; 2] {
        let first = |i: f64, j: f64| (0.7 * (i + 1.0) * (j + 1.0)).sin();
        leaves([
            matrix(n, d, first),
            matrix(n, d, |i, j| first(i, j) + 0.5 * (1.1 * i - 0.4 * j).cos()),
        ])
    }

    fn order(numbers: impl Iterator<Item = i64>) -> Tensor<Diff, 1, Int> {
        let numbers: Vec<i64> = numbers.collect();
        Tensor::from_data(numbers.as_slice(), &Default::default())
    }

    #[test]
    fn loss_and_gradients_are_those_of_the_official_code() {
        let [a, b] = views(16, 4);
        let whole = w_mse(a.clone(), b.clone(), order(0..16), 16);
        let norms = [1.273673450128, 1.967471188336e-1];
        assert_golden("whole batch", whole, 0.178604672215, &[a.clone(), b.clone()], &norms);
        let parts = w_mse(a.clone(), b.clone(), order((0..16).map(|i| 5 * i % 16)), 8);
        let norms = [2.571983212092e-1, 1.961163935906e-1];
        assert_golden("sub-batches", parts, 0.205907904180, &[a, b], &norms);
    }

    #[test]
    fn whitened_features_have_the_identity_as_covariance() {
        let [z, _] = views(24, 5);
        let whitened = whiten(z, 12);
        for part in whitened.chunk(2, 0) {
            let covariance = part.clone().transpose().matmul(part) / 11.0;
            let values: Vec<f32> = covariance.into_data().to_vec().unwrap();
            for (k, value) in values.into_iter().enumerate() {
                let expected = if k % 6 == 0 { 1.0 } else { 0.0 };
                assert!((value - expected).abs() < 1e-4, "{k}: {value}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "whole sub-batches")]
    fn a_sub_batch_with_fewer_rows_than_features_is_refused() {
        let [z, _] = views(16, 8);
        whiten(z, 8);
    }
}
