//! The balanced labels of SeLa (Asano, Rupprecht, Vedaldi 2020, arXiv 1911.05371) for a whole data set, and its loss.
//!
//! Follows the official code (yukimasano/self-label `sinkhornknopp.py`), on the host in 64 bits; in the log domain, so that no power
//! of a small probability underflows.

use burn::tensor::{Bool, FloatDType, Int, Tensor, backend::Backend};

use crate::reference::sum;
use crate::rows::log_softmax;

/// The error is looked at in every so many rounds.
const CHECK_EVERY: usize = 10;

/// Settings of [`sela_labels`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelaConfig {
    /// Power λ of the probabilities, `> 0`; official 25 on ImageNet and 10 on CIFAR.
    pub lambda: f64,
    /// The iteration ends where Σ |c / c' − 1| is at most this, `> 0`; official 0.1 on ImageNet and 0.01 on CIFAR.
    pub tolerance: f64,
    /// The most rounds; the official code has no limit.
    pub rounds: usize,
}

impl Default for SelaConfig {
    fn default() -> Self {
        Self {
            lambda: 25.0,
            tolerance: 0.1,
            rounds: 100_000,
        }
    }
}

/// Labels of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct SelaLabels {
    /// A label in `0..K` for each image.
    pub labels: Vec<usize>,
    /// Rounds made.
    pub rounds: usize,
    /// Σ |c / c' − 1| when it was last looked at.
    pub error: f64,
}

/// Balanced labels from the logits of one head for all images.
///
/// ```text
/// P = softmax(logits)^lambda; c = 1/N; repeat r = (1/K) / (P c), c' = (1/N) / (r P); label = argmax_k of r_k P_kn c_n
/// ```
///
/// # Panics
///
/// If there are not N · K logits with N and K above 0, or `lambda` or `tolerance` is not above 0.
pub fn sela_labels(logits: &[f32], k: usize, config: &SelaConfig) -> SelaLabels {
    assert!(
        k > 0 && !logits.is_empty() && logits.len().is_multiple_of(k),
        "{} logits of {k} labels: a row of all labels for each image",
        logits.len()
    );
    assert!(
        config.lambda > 0.0 && config.tolerance > 0.0,
        "lambda {} and tolerance {} must be above 0",
        config.lambda,
        config.tolerance
    );
    let n = logits.len() / k;
    let (log_n, log_k) = ((n as f64).ln(), (k as f64).ln());
    // [N, K]
    let log_p: Vec<f64> = logits
        .chunks(k)
        .flat_map(|row| {
            let total = log_sum_exp(row.iter().map(|&logit| f64::from(logit)));
            row.iter().map(move |&logit| config.lambda * (f64::from(logit) - total))
        })
        .collect();
    let (mut log_r, mut log_c) = (vec![0.0; k], vec![-log_n; n]);
    let (mut error, mut rounds) = (f64::INFINITY, 0);
    while error > config.tolerance && rounds < config.rounds {
        for (label, log_r) in log_r.iter_mut().enumerate() {
            let column = log_p.iter().skip(label).step_by(k).zip(&log_c);
            *log_r = -log_k - log_sum_exp(column.map(|(log_p, log_c)| log_p + log_c));
        }
        let next: Vec<f64> = log_p
            .chunks(k)
            .map(|row| -log_n - log_sum_exp(row.iter().zip(&log_r).map(|(log_p, log_r)| log_p + log_r)))
            .collect();
        if rounds.is_multiple_of(CHECK_EVERY) {
            error = log_c
                .iter()
                .zip(&next)
                .map(|(old, new)| ((old - new).exp() - 1.0).abs())
                .sum();
        }
        log_c = next;
        rounds += 1;
    }
    // c_n is common to a row, and so does not change its largest entry.
    let labels = log_p.chunks(k).map(|row| {
        let scores = row.iter().zip(&log_r).map(|(log_p, log_r)| log_p + log_r).enumerate();
        let best = scores.reduce(|best, score| if score.1 > best.1 { score } else { best });
        best.map_or(0, |(label, _)| label)
    });
    SelaLabels {
        labels: labels.collect(),
        rounds,
        error,
    }
}

/// log Σ exp(x), relative to the largest value.
fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = values.clone().fold(f64::NEG_INFINITY, f64::max);
    values.map(|value| (value - largest).exp()).sum::<f64>().ln() + largest
}

/// The loss of one head: the mean cross-entropy of its logits and the images' labels. With several heads their mean is the loss.
///
/// # Shapes
///
/// - logits: `[N, K]`
/// - labels: `[N]`, in `0..K`
/// - returns `[1]`, f32
///
/// # Panics
///
/// If there is not a label for each row.
pub fn sela<B: Backend>(logits: Tensor<B, 2>, labels: Tensor<B, 1, Int>) -> Tensor<B, 1> {
    let [n, k] = logits.dims();
    assert_eq!(labels.dims(), [n], "a label for each of the logits [{n}, {k}]");
    let log_p = log_softmax(logits.cast(FloatDType::F32));
    let classes = Tensor::<B, 1, Int>::arange(0..k as i64, &log_p.device()).reshape([1, k]);
    let others: Tensor<B, 2, Bool> = classes
        .repeat_dim(0, n)
        .not_equal(labels.reshape([n, 1]).repeat_dim(1, k));
    sum(log_p.mask_fill(others, 0.0)).div_scalar(-(n as f64))
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use crate::golden::{Diff, assert_golden, leaves, matrix};

    #[test]
    fn labels_loss_and_gradient_are_those_of_the_official_code() {
        let [logits] = leaves([matrix(12, 3, |i, k| {
            2.0 * (0.7 * i + 1.3 * k).sin() + (0.31 * i * k).cos()
        })]);
        let values: Vec<f32> = logits.to_data().to_vec().unwrap();
        let expected = [1, 1, 1, 0, 0, 0, 2, 2, 2, 2, 1, 0];
        for (lambda, rounds, error) in [(25.0, 131, 8.988639e-2), (10.0, 81, 9.318143e-2)] {
            let config = SelaConfig {
                lambda,
                ..SelaConfig::default()
            };
            let found = sela_labels(&values, 3, &config);
            assert_eq!(found.labels, expected, "lambda {lambda}");
            assert_eq!(found.rounds, rounds, "lambda {lambda}");
            // From logits in 32 bits, to the power λ.
            assert!(
                (found.error - error).abs() < 1e-3 * error,
                "{}, not {error}",
                found.error
            );
        }
        let labels = expected.map(|label| label as i64);
        let labels = Tensor::<Diff, 1, Int>::from_data(labels, &Default::default());
        let loss = sela(logits.clone(), labels);
        assert_golden("sela", loss, 0.531679259284, &[logits], &[1.611884846851e-1]);
    }

    #[test]
    fn probabilities_whose_power_underflows_are_labelled_in_balance() {
        // One image prefers each label, by far and in the same order of preference.
        let logits: Vec<f32> = (0..6).flat_map(|image| [image as f32 * 40.0, 0.0]).collect();
        let found = sela_labels(&logits, 2, &SelaConfig::default());
        assert_eq!(found.labels.iter().filter(|&&label| label == 0).count(), 3, "{found:?}");
        assert!(found.error.is_finite());
    }
}
