//! Barlow Twins with mixed views as a regulariser (Mix-BT; Bandara, De Melo, Patel 2023, arXiv 2312.02151): the embeddings of
//! mixtures of images shall correlate as the mixture of their embeddings.
//!
//! Follows the official code (wgcban/mix-bt `main.py`, `main_imagenet.py`), whose two programs differ.

use burn::tensor::{Int, Tensor, backend::Backend};

use crate::hsic::standardise_unbiased;
use crate::reference::{check_shapes, off_diagonal, sum};
use crate::rows::unit_rows;

/// Which of the official programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MixBtForm {
    /// `main.py`, for small images: rows of unit length before the features are standardised; X = z_a.
    Small,
    /// `main_imagenet.py`: no unit length, half of the regulariser; X = z_b.
    ImageNet,
}

/// Settings of [`mix_bt`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MixBtConfig {
    /// Weight λ of the redundancy-reduction term, `>= 0`.
    pub lambda: f64,
    /// Weight of the regulariser, `>= 0`; it is multiplied by λ too.
    pub mixture: f64,
    /// The program.
    pub form: MixBtForm,
}

/// Images of view a mixed with permuted ones of view b: `mixed_n = alpha · a_n + (1 − alpha) · b_permutation(n)`.
#[derive(Clone, Debug)]
pub struct Mixture<B: Backend> {
    /// [N, D], the embeddings of the mixed images.
    pub embeddings: Tensor<B, 2>,
    /// `[N]`, which image of view b is in mixture n.
    pub permutation: Tensor<B, 1, Int>,
    /// The share of view a, in [0, 1].
    pub alpha: f64,
}

/// Output of [`mix_bt`]: each tensor is `[1]`, f32 and still on the device.
#[derive(Clone, Debug)]
pub struct MixBtOutput<B: Backend> {
    /// `invariance + lambda · redundancy_reduction + f · mixture · lambda · regulariser`, f 1 for small images and ½ for ImageNet.
    pub loss: Tensor<B, 1>,
    /// Σ (c_ii − 1)².
    pub invariance: Tensor<B, 1>,
    /// Σ_{i≠j} c_ij².
    pub redundancy_reduction: Tensor<B, 1>,
    /// The sum of the squared differences of correlations.
    pub regulariser: Tensor<B, 1>,
}

/// The loss of two batches of embeddings and of their mixture; row k of both views comes from image k.
///
/// ```text
/// s           = standardise(z), unbiased;  p = s_b[permutation]
/// C           = s_aᵀ s_b / N
/// regulariser = ‖ s_mᵀ s_a − α s_aᵀ s_a − (1 − α) pᵀ s_a ‖²_F / N²
///             + ‖ s_mᵀ s_b − α Xᵀ   s_b − (1 − α) pᵀ s_b ‖²_F / N²       X = s_a or s_b, see MixBtForm
/// ```
///
/// The gradient flows through the targets too.
///
/// # Shapes
///
/// - z_a, z_b: `[N, D]`
/// - every output: `[1]`
///
/// # Panics
///
/// If the shapes differ, N < 2 or D = 0; the message contains both shapes.
pub fn mix_bt<B: Backend>(
    z_a: Tensor<B, 2>,
    z_b: Tensor<B, 2>,
    mixture: Mixture<B>,
    config: &MixBtConfig,
) -> MixBtOutput<B> {
    let [n, d] = check_shapes(z_a.dims(), z_b.dims());
    check_shapes(z_a.dims(), mixture.embeddings.dims());
    let n = n as f64;
    let standardise = |z: Tensor<B, 2>| match config.form {
        MixBtForm::Small => standardise_unbiased(unit_rows(z)),
        MixBtForm::ImageNet => standardise_unbiased(z),
    };
    let [a, b, m] = [z_a, z_b, mixture.embeddings].map(standardise);
    let correlation = |x: &Tensor<B, 2>, y: &Tensor<B, 2>| x.clone().transpose().matmul(y.clone()).div_scalar(n);
    let diagonal = (a.clone() * b.clone()).sum_dim(0).div_scalar(n);
    let invariance = sum(diagonal.sub_scalar(1.0).square());
    let redundancy_reduction = match d {
        1 => invariance.zeros_like(),
        _ => sum(off_diagonal(correlation(&a, &b)).square()),
    };
    // Both products with the same right side as one: (m − α x − (1 − α) p)ᵀ y.
    let p = b.clone().select(0, mixture.permutation);
    let alpha = mixture.alpha;
    let difference = |x: &Tensor<B, 2>| m.clone() - x.clone().mul_scalar(alpha) - p.clone().mul_scalar(1.0 - alpha);
    let (other, factor) = match config.form {
        MixBtForm::Small => (&a, 1.0),
        MixBtForm::ImageNet => (&b, 0.5),
    };
    let first = sum(correlation(&difference(&a), &a).square());
    let second = sum(correlation(&difference(other), &b).square());
    let regulariser = first + second;
    MixBtOutput {
        loss: invariance.clone()
            + redundancy_reduction.clone().mul_scalar(config.lambda)
            + regulariser.clone().mul_scalar(factor * config.mixture * config.lambda),
        invariance,
        redundancy_reduction,
        regulariser,
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use crate::golden::{Diff, assert_golden, inputs, leaves, matrix};

    #[test]
    fn losses_and_gradients_are_those_of_the_official_programs() {
        let small = MixBtConfig {
            lambda: 1.0 / 128.0,
            mixture: 4.0,
            form: MixBtForm::Small,
        };
        let imagenet = MixBtConfig {
            lambda: 0.0051,
            mixture: 1.0,
            form: MixBtForm::ImageNet,
        };
        let cases = [
            (
                (4, 3),
                small,
                0.538438849044,
                [7.635961926278e-1, 1.193725578791, 1.665327859411e-1],
            ),
            (
                (4, 3),
                imagenet,
                0.926263557915,
                [1.724776079663, 3.439047341956, 5.789533534062e-2],
            ),
            (
                (8, 16),
                small,
                1.358806905890,
                [3.339148880376e-1, 3.504286702813e-1, 1.128812407380e-1],
            ),
            (
                (8, 16),
                imagenet,
                1.088775189302,
                [3.284375248575e-1, 3.384429452246e-1, 9.745039770188e-3],
            ),
        ];
        for ((n, d), config, loss, norms) in cases {
            let permutation: Vec<i64> = (0..n as i64).map(|i| (i + 1) % n as i64).collect();
            let permutation = Tensor::<Diff, 1, Int>::from_data(permutation.as_slice(), &Default::default());
            let mixed = inputs::za(n, d) * 0.3
                + inputs::zb(n, d).select(0, permutation.clone()) * 0.7
                + matrix(n, d, |i, j| 0.1 * (0.9 * i + 0.2 * j).sin());
            let [a, b, m] = leaves([inputs::za(n, d), inputs::zb(n, d), mixed.detach()]);
            let mixture = Mixture {
                embeddings: m.clone(),
                permutation,
                alpha: 0.3,
            };
            let output = mix_bt(a.clone(), b.clone(), mixture, &config);
            let what = format!("{:?}, {n} x {d}", config.form);
            assert_golden(&what, output.loss, loss, &[a, b, m], &norms);
        }
    }
}
