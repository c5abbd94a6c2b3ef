//! The negative-sample-free contrastive loss that maximises HSIC (Tsai, Bai, Morency, Salakhutdinov 2021, arXiv 2104.13712): Barlow
//! Twins with off-diagonal targets of −1.
//!
//! Follows the official code (yaohungt/Barlow-Twins-HSIC `main.py`): rows of unit length before the features are standardised, the
//! unbiased deviation without an epsilon, and C divided by N.

use burn::tensor::{Tensor, backend::Backend};

use crate::reference::{centre, check_shapes, off_diagonal, sum};
use crate::rows::unit_rows;

/// A variance below this is that of a constant feature, which becomes zero; the official code divides by zero.
const LEAST_VARIANCE: f64 = 1e-24;

/// Output of [`hsic`]: each tensor is `[1]`, f32 and still on the device.
#[derive(Clone, Debug)]
pub struct HsicOutput<B: Backend> {
    /// `diagonal + lambda · off_diagonal`.
    pub loss: Tensor<B, 1>,
    /// Σ (c_ii − 1)².
    pub diagonal: Tensor<B, 1>,
    /// Σ_{i≠j} (c_ij + 1)².
    pub off_diagonal: Tensor<B, 1>,
}

/// The loss of two batches of embeddings; row k of both comes from image k.
///
/// ```text
/// s    = standardise(z / ‖z‖)                  features with mean 0 and unbiased variance 1 over the batch
/// C    = s_aᵀ s_b / N                          [D, D]
/// loss = Σ_i (c_ii − 1)² + lambda · Σ_{i≠j} (c_ij + 1)²
/// ```
///
/// The diagonal's largest value is (N − 1)/N. The computation is in f32 for every input type.
///
/// # Shapes
///
/// - z_a, z_b: `[N, D]`
/// - every output: `[1]`
///
/// # Panics
///
/// If the shapes differ, N < 2 or D = 0; the message contains both shapes.
pub fn hsic<B: Backend>(z_a: Tensor<B, 2>, z_b: Tensor<B, 2>, lambda: f64) -> HsicOutput<B> {
    let [n, _] = check_shapes(z_a.dims(), z_b.dims());
    let [a, b] = [z_a, z_b].map(|z| standardise_unbiased(unit_rows(z)));
    let products = (a.clone() * b.clone()).sum_dim(0).div_scalar(n as f64);
    let c = a.transpose().matmul(b).div_scalar(n as f64);
    let [d, _] = c.dims();
    let diagonal = sum(products.sub_scalar(1.0).square());
    let off_diagonal = match d {
        // There is no pair of features.
        1 => diagonal.zeros_like(),
        _ => sum(off_diagonal(c).add_scalar(1.0).square()),
    };
    HsicOutput {
        loss: diagonal.clone() + off_diagonal.clone().mul_scalar(lambda),
        diagonal,
        off_diagonal,
    }
}

/// Features with mean 0 and unbiased variance 1, `[N, D]` to `[N, D]`; a constant feature becomes 0.
pub(crate) fn standardise_unbiased<B: Backend>(z: Tensor<B, 2>) -> Tensor<B, 2> {
    let n = z.dims()[0];
    let centred = centre(z);
    let variance = centred.clone().square().sum_dim(0).div_scalar((n - 1) as f64);
    centred / variance.clamp_min(LEAST_VARIANCE).sqrt()
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use crate::golden::{Diff, assert_golden, inputs, leaves, value};

    #[test]
    fn loss_and_gradients_are_those_of_the_official_code() {
        let cases = [
            ((4, 3), 3.229230932108, [4.661400549312e-1, 2.685072973963]),
            ((8, 16), 19.125311159085, [5.175311866095e-1, 4.395506829572e-1]),
        ];
        for ((n, d), loss, norms) in cases {
            let [a, b] = leaves([inputs::za(n, d), inputs::zb(n, d)]);
            let output = hsic(a.clone(), b.clone(), 1.0 / d as f64);
            assert_golden(&format!("{n} x {d}"), output.loss, loss, &[a, b], &norms);
        }
    }

    #[test]
    fn constant_embeddings_have_a_finite_loss() {
        let [z] = leaves([Tensor::<Diff, 2>::ones([5, 3], &Default::default())]);
        let output = hsic(z.clone(), z.clone(), 0.5);
        assert!((value(&output.loss) - (3.0 + 0.5 * 6.0)).abs() < 1e-5);
        let gradient = z.grad(&output.loss.backward()).unwrap();
        let values: Vec<f32> = gradient.into_data().to_vec().unwrap();
        assert!(values.into_iter().all(f32::is_finite));
    }
}
