//! Output of the loss, and the computation of its diagnostics from four sums. Independent of forms and embeddings.

use burn::tensor::{Tensor, backend::Backend};

use crate::reference::{Terms, positive_part};

/// Output of the loss: the scalar to differentiate, its two terms, and diagnostics of the correlation matrix C.
///
/// All tensors are `[1]`, f32, and still on the device: read them only when they are logged, not in every step.
#[derive(Clone, Debug)]
pub struct BarlowTwinsOutput<B: Backend> {
    /// `scale · (invariance + lambda · redundancy_reduction)`; an objective with one term omits the other.
    pub loss: Tensor<B, 1>,
    /// Σ (1 − c_ii)², without `scale`; the first term of another [objective](crate::Objective).
    pub invariance: Tensor<B, 1>,
    /// Σ_{i≠j} c_ij², without `lambda` and without `scale`; the second term of another [objective](crate::Objective).
    pub redundancy_reduction: Tensor<B, 1>,
    /// Mean of the diagonal of C: 0 for unrelated views, 1 for identical ones. Like all diagnostics it has no gradient.
    pub diagonal_mean: Tensor<B, 1>,
    /// Standard deviation of the diagonal of C about its mean (divided by D): how unequally the features agree.
    pub diagonal_std: Tensor<B, 1>,
    /// Root mean square of the off-diagonal elements of C; 1/√(N−1) is the chance level. 0 for D = 1.
    pub off_diagonal_rms: Tensor<B, 1>,
}

impl<B: Backend> BarlowTwinsOutput<B> {
    pub(crate) fn new(loss: Tensor<B, 1>, terms: Terms<B>, d: usize) -> Self {
        let [invariance, off_diagonal, total, squares] = [0, 1, 2, 3].map(|k| terms.sums.clone().narrow(0, k, 1));
        let features = d as f64;
        let mean = total.div_scalar(features);
        let pairs = (features * (features - 1.0)).max(1.0);
        Self {
            loss,
            invariance: terms.invariance,
            redundancy_reduction: terms.redundancy_reduction,
            diagonal_std: spread(
                mean.clone(),
                squares.div_scalar(features),
                invariance.div_scalar(features),
            ),
            diagonal_mean: mean,
            // The difference in the gram form may be negative through rounding.
            off_diagonal_rms: positive_part(off_diagonal.div_scalar(pairs)).sqrt(),
        }
    }
}

/// Standard deviation of c from its mean m, the mean of c² and the mean of (1 − c)².
///
/// Both E c² − m² and E (1 − c)² − (1 − m)² are the variance. The first suffers from cancellation if m is near 1 (a trained
/// network), the second if m is near 0. The weights 1 − m and m favour the accurate one. Outside [0, 1] (C of a non-default
/// normalisation) the weights are clamped to 0 and 1, because larger ones would amplify the rounding errors of both.
fn spread<B: Backend>(mean: Tensor<B, 1>, squares: Tensor<B, 1>, deviations: Tensor<B, 1>) -> Tensor<B, 1> {
    let rest = mean.clone().neg().add_scalar(1.0);
    let about_zero = squares - mean.clone().square();
    let about_one = deviations - rest.clone().square();
    // NaN propagates through both estimates, whatever clamp returns for it.
    let weight = mean.clamp(0.0, 1.0);
    let other = weight.clone().neg().add_scalar(1.0);
    positive_part(other * about_zero + weight * about_one).sqrt()
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use burn_flex::Flex;

    fn spread_of(diagonal: &[f64]) -> f64 {
        let mean_of = |f: &dyn Fn(f64) -> f64| {
            let mean = diagonal.iter().map(|&c| f(c)).sum::<f64>() / diagonal.len() as f64;
            Tensor::<Flex, 1>::from_floats([mean as f32], &Default::default())
        };
        let got = spread(mean_of(&|c| c), mean_of(&|c| c * c), mean_of(&|c| (1.0 - c).powi(2)));
        f64::from(got.into_scalar())
    }

    #[test]
    fn the_spread_is_exact_to_rounding_whatever_the_mean() {
        for mean in [-3000.0, -40.0, -0.3, 0.0, 0.5, 0.999, 1.3, 50.0, 3000.0] {
            // About a tenth of the mean, except for the smallest means; no distribution is symmetric.
            let width = 0.1 * f64::max(f64::abs(mean), 0.1);
            let diagonal: Vec<f64> = (0..50).map(|k| mean + width * (1.7 * f64::from(k)).sin()).collect();
            let centre = diagonal.iter().sum::<f64>() / 50.0;
            let variance = diagonal.iter().map(|c| (c - centre).powi(2)).sum::<f64>() / 50.0;
            let error = spread_of(&diagonal) / variance.sqrt() - 1.0;
            assert!(error.abs() <= 1e-4, "mean {mean}: off by {error:e}");
        }
    }

    #[test]
    fn the_spread_of_not_a_number_is_none() {
        assert!(spread_of(&[0.5, f64::NAN]).is_nan());
    }
}
