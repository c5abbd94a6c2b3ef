//! The balanced labels of SeLa (Asano, Rupprecht, Vedaldi 2020, arXiv 1911.05371) for a whole data set, and its loss.
//!
//! Follows the official code (yukimasano/self-label `sinkhornknopp.py`), on the host in 64 bits; in the log domain, so that no power
//! of a small probability underflows. The rows are divided into a fixed number of blocks, so that the labels do not depend on the
//! number of threads.

use burn::tensor::{Bool, FloatDType, Int, Tensor, backend::Backend};
#[cfg(feature = "cpu")]
use rayon::prelude::*;

use crate::reference::sum;
use crate::rows::log_softmax;

/// The error is looked at in every so many rounds.
const CHECK_EVERY: usize = 10;

/// Blocks of rows of a round, each of which has its own sums over the rows.
const BLOCKS: usize = 64;

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
    let mut scores = SelaScores::new(k, *config);
    scores.push(logits);
    scores.labels(|| false).expect("nothing stops it")
}

/// The scores of one head for a data set, which is larger than one batch: 8 · N · K bytes.
#[derive(Clone, Debug)]
pub struct SelaScores {
    k: usize,
    config: SelaConfig,
    /// [N, K]: λ log P.
    log_p: Vec<f64>,
}

impl SelaScores {
    /// No scores yet of `k` labels.
    ///
    /// # Panics
    ///
    /// If `k` is 0, or `lambda` or `tolerance` is not above 0.
    pub fn new(k: usize, config: SelaConfig) -> Self {
        assert!(k > 0, "no labels");
        assert!(
            config.lambda > 0.0 && config.tolerance > 0.0,
            "lambda {} and tolerance {} must be above 0",
            config.lambda,
            config.tolerance
        );
        Self {
            k,
            config,
            log_p: Vec::new(),
        }
    }

    /// Reserves memory for exactly this many more images.
    pub fn reserve(&mut self, images: usize) {
        self.log_p.reserve_exact(images * self.k);
    }

    /// Adds the logits of some images, a row of K for each.
    ///
    /// # Panics
    ///
    /// If the length is not a multiple of K.
    pub fn push(&mut self, logits: &[f32]) {
        let (k, lambda) = (self.k, self.config.lambda);
        assert!(
            logits.len().is_multiple_of(k),
            "{} logits of {k} labels: a row of all labels for each image",
            logits.len()
        );
        for row in logits.chunks(k) {
            let total = log_sum_exp(row.iter().map(|&logit| f64::from(logit)));
            self.log_p
                .extend(row.iter().map(|&logit| lambda * (f64::from(logit) - total)));
        }
    }

    /// The balanced labels of all images that were added, as [`sela_labels`]; `None` if `stop`, which is asked once per round, says
    /// so.
    ///
    /// # Panics
    ///
    /// If there are no images.
    pub fn labels(&self, stop: impl Fn() -> bool) -> Option<SelaLabels> {
        assert!(!self.log_p.is_empty(), "labels of no images");
        let n = self.log_p.len() / self.k;
        let (log_n, log_k) = ((n as f64).ln(), (self.k as f64).ln());
        let mut log_c = vec![-log_n; n];
        let mut sums = self.sweep(&mut log_c, None);
        let mut log_r: Vec<f64>;
        let (mut error, mut rounds) = (f64::INFINITY, 0_usize);
        loop {
            log_r = sums.columns.iter().map(|column| -log_k - column.log()).collect();
            if stop() {
                return None;
            }
            // The sums of the next round are gathered with the same read of the scores.
            sums = self.sweep(&mut log_c, Some((&log_r, log_n)));
            if rounds.is_multiple_of(CHECK_EVERY) {
                error = sums.error;
            }
            rounds += 1;
            // Not `error <= tolerance`: an error of NaN ends it.
            let goes_on = error > self.config.tolerance && rounds < self.config.rounds;
            if !goes_on {
                break;
            }
        }
        // c_n is common to a row, and so does not change its largest entry.
        let labels = self.log_p.chunks(self.k).map(|row| {
            let scores = row.iter().zip(&log_r).map(|(log_p, log_r)| log_p + log_r).enumerate();
            let best = scores.reduce(|best, score| if score.1 > best.1 { score } else { best });
            best.map_or(0, |(label, _)| label)
        });
        Some(SelaLabels {
            labels: labels.collect(),
            rounds,
            error,
        })
    }

    /// Sets c from r where that is given, and sums P c of each label.
    fn sweep(&self, log_c: &mut [f64], from: Option<(&[f64], f64)>) -> Sums {
        let rows = log_c.len().div_ceil(BLOCKS);
        let block = |(log_p, log_c): (&[f64], &mut [f64])| {
            let mut sums = Sums::new(self.k);
            for (row, log_c) in log_p.chunks(self.k).zip(log_c) {
                if let Some((log_r, log_n)) = from {
                    let next = -log_n - log_sum_exp(row.iter().zip(log_r).map(|(log_p, log_r)| log_p + log_r));
                    sums.error += ((*log_c - next).exp() - 1.0).abs();
                    *log_c = next;
                }
                for (column, log_p) in sums.columns.iter_mut().zip(row) {
                    column.add(log_p + *log_c);
                }
            }
            sums
        };
        #[cfg(feature = "cpu")]
        let blocks: Vec<Sums> = self
            .log_p
            .par_chunks(rows * self.k)
            .zip(log_c.par_chunks_mut(rows))
            .map(block)
            .collect();
        #[cfg(not(feature = "cpu"))]
        let blocks: Vec<Sums> = self
            .log_p
            .chunks(rows * self.k)
            .zip(log_c.chunks_mut(rows))
            .map(block)
            .collect();
        blocks.into_iter().reduce(Sums::with).expect("there are images")
    }
}

/// The sums of a round over some rows.
struct Sums {
    /// P c of each label.
    columns: Vec<LogSum>,
    /// Σ |c / c' − 1|.
    error: f64,
}

impl Sums {
    fn new(k: usize) -> Self {
        Self {
            columns: vec![LogSum::default(); k],
            error: 0.0,
        }
    }

    fn with(mut self, other: Self) -> Self {
        for (own, other) in self.columns.iter_mut().zip(other.columns) {
            own.merge(other);
        }
        self.error += other.error;
        self
    }
}

/// Σ exp(x) as the largest x and the sum relative to it.
#[derive(Clone, Copy, Debug)]
struct LogSum {
    largest: f64,
    sum: f64,
}

impl Default for LogSum {
    fn default() -> Self {
        Self {
            largest: f64::NEG_INFINITY,
            sum: 0.0,
        }
    }
}

impl LogSum {
    fn add(&mut self, x: f64) {
        self.merge(Self { largest: x, sum: 1.0 });
    }

    fn merge(&mut self, other: Self) {
        if other.largest <= self.largest {
            self.sum += other.sum * (other.largest - self.largest).exp();
        } else {
            // The first value has no sum before it: 0 · exp(−∞).
            self.sum = self.sum * (self.largest - other.largest).exp() + other.sum;
            self.largest = other.largest;
        }
    }

    fn log(&self) -> f64 {
        self.sum.ln() + self.largest
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

    #[test]
    fn labels_of_many_rows_are_those_of_the_definition_whatever_the_number_of_threads() {
        let (n, k) = (1001, 7);
        let logit =
            |i: usize, k: usize| (0.37 * i as f64 + 1.9 * k as f64).sin() * 2.0 + (0.011 * (i * k) as f64).cos();
        let logits: Vec<f32> = (0..n * k).map(|at| logit(at / k, at % k) as f32).collect();
        let config = SelaConfig {
            lambda: 5.0,
            tolerance: 1e-3,
            ..SelaConfig::default()
        };
        let found = sela_labels(&logits, k, &config);
        // P^λ itself, by the official formulas; it does not underflow here.
        let p: Vec<Vec<f64>> = logits
            .chunks(k)
            .map(|row| {
                let total: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
                row.iter()
                    .map(|&logit| (f64::from(logit).exp() / total).powf(5.0))
                    .collect()
            })
            .collect();
        let (mut c, mut r) = (vec![1.0 / n as f64; n], vec![0.0; k]);
        for _ in 0..found.rounds {
            for (label, r) in r.iter_mut().enumerate() {
                *r = 1.0 / k as f64 / p.iter().zip(&c).map(|(p, c)| p[label] * c).sum::<f64>();
            }
            for (p, c) in p.iter().zip(&mut c) {
                *c = 1.0 / n as f64 / p.iter().zip(&r).map(|(p, r)| p * r).sum::<f64>();
            }
        }
        let expected: Vec<usize> = p
            .iter()
            .map(|p| (0..k).max_by(|&a, &b| (p[a] * r[a]).total_cmp(&(p[b] * r[b]))).unwrap())
            .collect();
        assert_eq!(found.labels, expected);
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(one.install(|| sela_labels(&logits, k, &config)), found);
        for label in 0..k {
            let count = found.labels.iter().filter(|&&found| found == label).count();
            // Balanced are the soft labels, of which these are the largest.
            assert!(count.abs_diff(n / k) <= 6, "{count} of label {label}");
        }
    }

    #[test]
    fn a_stop_ends_it_without_labels_and_rows_may_come_in_parts() {
        let logits = [0.1, 0.9, 0.3, 0.2, 0.8, 0.1, 0.0, 0.5];
        let mut scores = SelaScores::new(2, SelaConfig::default());
        scores.push(&logits[..2]);
        scores.push(&logits[2..]);
        assert_eq!(scores.labels(|| true), None);
        assert_eq!(
            scores.labels(|| false),
            Some(sela_labels(&logits, 2, &SelaConfig::default()))
        );
    }
}
