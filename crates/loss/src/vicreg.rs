//! The VICReg loss (Bardes, Ponce, LeCun 2022, arXiv 2105.04906): invariance between two views, variance and decorrelation of
//! each.
//!
//! Follows the official code (facebookresearch/vicreg `main_vicreg.py`), which differs from the paper's formula: the variance
//! term is the mean of both views' hinges, not their sum. Unlike the cross-correlation losses, it does not standardise the
//! embeddings.

use burn::tensor::{FloatDType, Tensor, backend::Backend};

use crate::reference::{centre, check_shapes, off_diagonal, positive_part, sum};

/// Weights of the terms; the defaults are the official ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VicRegConfig {
    /// Weight of the mean squared distance of both views, `>= 0`.
    pub invariance: f64,
    /// Weight of the hinge on the standard deviation of each feature, `>= 0`.
    pub variance: f64,
    /// Weight of the covariance of different features, `>= 0`.
    pub covariance: f64,
    /// Added to the variance inside the root, `> 0`.
    pub epsilon: f64,
}

impl Default for VicRegConfig {
    fn default() -> Self {
        Self {
            invariance: 25.0,
            variance: 25.0,
            covariance: 1.0,
            epsilon: 1e-4,
        }
    }
}

/// Output of [`vicreg`]: each tensor is `[1]`, f32 and still on the device. The terms exclude their weights.
#[derive(Clone, Debug)]
pub struct VicRegOutput<B: Backend> {
    /// `invariance · MSE + variance · hinge + covariance · cov`.
    pub loss: Tensor<B, 1>,
    /// Mean over N and D of (z_a − z_b)².
    pub invariance: Tensor<B, 1>,
    /// Mean over both views and D of max(0, 1 − √(var_j + ε)), with the unbiased variance.
    pub variance: Tensor<B, 1>,
    /// Sum over both views of Σ_{i≠j} cov_ij² / D, with the covariance over N − 1.
    pub covariance: Tensor<B, 1>,
}

/// Whether [`vicreg`] computes the covariance term from N × N matrices instead of D × D matrices, for N pairs of D features.
pub fn vicreg_takes_gram(n: usize, d: usize) -> bool {
    d > n
}

/// The loss of two batches of embeddings; row k of both comes from image k.
///
/// ```text
/// loss = invariance · mean (z_a − z_b)²
///      + variance   · ½ Σ_views mean_j max(0, 1 − √(var_j + ε))
///      + covariance · Σ_views Σ_{i≠j} cov_ij² / D
/// ```
///
/// For D > N the sum of squares is ‖Z Zᵀ‖²_F / (N − 1)² − Σ_j var_j², which avoids a D × D matrix; its rounding error is about
/// 1e-7 · Σ_j var_j². The computation is in f32 for every input type, and the gradient flows through all statistics.
///
/// # Shapes
///
/// - z_a, z_b: `[N, D]`
/// - every output: `[1]`
///
/// # Panics
///
/// If the shapes differ, N < 2 or D = 0; the message contains both shapes.
pub fn vicreg<B: Backend>(z_a: Tensor<B, 2>, z_b: Tensor<B, 2>, config: &VicRegConfig) -> VicRegOutput<B> {
    let [n, d] = check_shapes(z_a.dims(), z_b.dims());
    let [z_a, z_b] = [z_a, z_b].map(|z| z.cast(FloatDType::F32));
    let invariance = sum((z_a.clone() - z_b.clone()).square()).div_scalar((n * d) as f64);
    let [(hinge_a, cov_a), (hinge_b, cov_b)] = [z_a, z_b].map(|z| statistics(z, config.epsilon));
    let variance = (hinge_a + hinge_b).div_scalar(2.0);
    let covariance = cov_a + cov_b;
    let loss = invariance.clone().mul_scalar(config.invariance)
        + variance.clone().mul_scalar(config.variance)
        + covariance.clone().mul_scalar(config.covariance);
    VicRegOutput {
        loss,
        invariance,
        variance,
        covariance,
    }
}

/// The hinge and the covariance term of one view.
fn statistics<B: Backend>(z: Tensor<B, 2>, epsilon: f64) -> (Tensor<B, 1>, Tensor<B, 1>) {
    let [n, d] = z.dims();
    let z = centre(z);
    // [1, D]
    let variance = z.clone().square().sum_dim(0).div_scalar((n - 1) as f64);
    let deviation = variance.clone().add_scalar(epsilon).sqrt();
    let hinge = sum(positive_part(deviation.neg().add_scalar(1.0))).div_scalar(d as f64);
    let squares = if vicreg_takes_gram(n, d) {
        let gram = z.clone().matmul(z.transpose()).div_scalar((n - 1) as f64);
        sum(gram.square()) - sum(variance.square())
    } else {
        let covariance = z.clone().transpose().matmul(z).div_scalar((n - 1) as f64);
        sum(off_diagonal(covariance).square())
    };
    (hinge, squares.div_scalar(d as f64))
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use burn::backend::Autodiff;
    use burn::tensor::TensorData;
    use burn_flex::{Flex, FlexDevice};

    type Diff = Autodiff<Flex>;

    /// z_a = f·sin(0.7 i + 1.3 j), z_b = z_a + f·0.5 cos(1.1 i − 0.4 j), as in the program below.
    fn views(n: usize, d: usize, factor: f64) -> [Tensor<Diff, 2>; 2] {
        let tensor = |value: &dyn Fn(f64, f64) -> f64| {
            let values: Vec<f32> = (0..n * d)
                .map(|k| (factor * value((k / d) as f64, (k % d) as f64)) as f32)
                .collect();
            Tensor::from_data(TensorData::new(values, [n, d]), &FlexDevice).require_grad()
        };
        let first = |i: f64, j: f64| (0.7 * i + 1.3 * j).sin();
        [
            tensor(&first),
            tensor(&|i, j| first(i, j) + 0.5 * (1.1 * i - 0.4 * j).cos()),
        ]
    }

    fn norms(z: &[Tensor<Diff, 2>; 2], output: &VicRegOutput<Diff>) -> [f64; 2] {
        let gradients = output.loss.backward();
        z.each_ref().map(|z| {
            let gradient: Vec<f32> = z.grad(&gradients).unwrap().into_data().to_vec().unwrap();
            gradient.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt()
        })
    }

    fn value(x: &Tensor<Diff, 1>) -> f64 {
        f64::from(x.clone().into_scalar())
    }

    /// The results of the official code in float64:
    /// ```python
    /// import torch, torch.nn.functional as F
    /// torch.set_default_dtype(torch.float64)
    /// i, j = torch.arange(8.)[:, None], torch.arange(16.)[None]
    /// def run(f):
    ///     za = torch.sin(.7*i + 1.3*j).requires_grad_()
    ///     zb = (torch.sin(.7*i + 1.3*j) + .5*torch.cos(1.1*i - .4*j)).requires_grad_()
    ///     x, y = f * za, f * zb
    ///     repr_loss = F.mse_loss(x, y); a, b = x - x.mean(dim=0), y - y.mean(dim=0)
    ///     std_x, std_y = torch.sqrt(a.var(dim=0) + 0.0001), torch.sqrt(b.var(dim=0) + 0.0001)
    ///     std_loss = torch.mean(F.relu(1 - std_x)) / 2 + torch.mean(F.relu(1 - std_y)) / 2
    ///     cov_x, cov_y = (a.T @ a) / 7, (b.T @ b) / 7
    ///     off = lambda m: m - torch.diag(torch.diag(m))
    ///     cov_loss = off(cov_x).pow(2).sum().div(16) + off(cov_y).pow(2).sum().div(16)
    ///     loss = 25 * repr_loss + 25 * std_loss + cov_loss; loss.backward()
    ///     print(loss.item(), za.grad.norm().item(), zb.grad.norm().item())
    /// run(1.0); run(1.4)
    /// ```
    const GOLDENS: [(f64, f64, [f64; 2]); 2] = [
        (1.0, 13.657571594137, [1.593560223602, 1.784892013286]),
        (1.4, 25.895204742115, [5.468808939443, 6.057273466050]),
    ];

    #[test]
    fn loss_and_gradients_are_those_of_the_official_code() {
        for (factor, loss, expected) in GOLDENS {
            let z = views(8, 16, factor);
            let [a, b] = z.clone();
            let output = vicreg(a, b, &VicRegConfig::default());
            assert!(
                (value(&output.loss) - loss).abs() < 1e-5 * loss,
                "{}",
                value(&output.loss)
            );
            for (found, expected) in norms(&z, &output).into_iter().zip(expected) {
                // The gradient of z, not of its multiple.
                let found = found * factor;
                assert!((found - expected).abs() < 1e-5 * expected, "{found}, not {expected}");
            }
        }
    }

    /// The terms by their definition in f64.
    fn by_definition(z: &[Vec<f64>; 2], n: usize, d: usize) -> [f64; 3] {
        let mse = z[0].iter().zip(&z[1]).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / (n * d) as f64;
        let (mut hinge, mut squares) = (0.0, 0.0);
        for z in z {
            let mean = |j: usize| (0..n).map(|i| z[i * d + j]).sum::<f64>() / n as f64;
            let means: Vec<f64> = (0..d).map(mean).collect();
            let cov = |j: usize, k: usize| {
                let product = |i: usize| (z[i * d + j] - means[j]) * (z[i * d + k] - means[k]);
                (0..n).map(product).sum::<f64>() / (n - 1) as f64
            };
            hinge += (0..d).map(|j| (1.0 - (cov(j, j) + 1e-4).sqrt()).max(0.0)).sum::<f64>() / (2 * d) as f64;
            let off = (0..d * d).filter(|k| k / d != k % d).map(|k| cov(k / d, k % d).powi(2));
            squares += off.sum::<f64>() / d as f64;
        }
        [mse, hinge, squares]
    }

    #[test]
    fn both_ways_to_the_covariance_are_its_definition() {
        for (n, d) in [(9, 50), (50, 9), (12, 12), (2, 1), (3, 7)] {
            let z = views(n, d, 0.8);
            let doubles = z.each_ref().map(|z| {
                let values: Vec<f32> = z.to_data().to_vec().unwrap();
                values.into_iter().map(f64::from).collect::<Vec<_>>()
            });
            let expected = by_definition(&doubles, n, d);
            let [a, b] = z;
            let output = vicreg(a, b, &VicRegConfig::default());
            let found = [&output.invariance, &output.variance, &output.covariance].map(value);
            for (found, expected) in found.into_iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 1e-5 * expected.abs().max(0.1),
                    "{n} x {d}: {found}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn a_constant_feature_has_a_finite_gradient() {
        let constant = || Tensor::<Diff, 2>::ones([4, 3], &FlexDevice).require_grad();
        let z = [constant(), constant()];
        let [a, b] = z.clone();
        let output = vicreg(a, b, &VicRegConfig::default());
        // The deviation is √ε.
        assert!((value(&output.variance) - 0.99).abs() < 1e-6);
        assert!(norms(&z, &output).into_iter().all(f64::is_finite));
    }

    #[test]
    #[should_panic(expected = "z_a is [4, 3], z_b is [4, 2]")]
    fn views_of_other_shapes_are_refused() {
        let view = |d: usize| Tensor::<Diff, 2>::ones([4, d], &FlexDevice);
        vicreg(view(3), view(2), &VicRegConfig::default());
    }
}
