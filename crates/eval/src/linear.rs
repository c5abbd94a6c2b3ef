//! The linear probe: L2-regularised multinomial logistic regression on standardised features, trained to convergence.
//!
//! The problem is convex and starts at zero, so the solution is unique: no learning rate, no schedule, no seed.

use crate::features::{Features, argmax, check_pair, top1};
use crate::lbfgs::{Limits, minimise};
use crate::logistic::Problem;
use rayon::prelude::*;

/// Settings of [`linear_probe`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearConfig {
    /// Factor of Σ w² (weights only, not biases), which is added to the mean cross-entropy (≥ 0).
    pub l2: f64,
    /// Maximum number of L-BFGS steps.
    pub max_iterations: usize,
    /// Converged when no component of the gradient is larger than this.
    pub tolerance: f64,
}

impl Default for LinearConfig {
    fn default() -> Self {
        Self {
            l2: 1e-3,
            max_iterations: 1000,
            tolerance: 1e-6,
        }
    }
}

/// Result of [`linear_probe`].
#[derive(Clone, Debug, PartialEq)]
pub struct LinearResult {
    /// Fraction of the test images whose class was predicted correctly, in [0, 1].
    pub top1: f64,
    /// Fraction of the test images whose class is among the five highest scores; `None` with five classes or fewer, where it
    /// would always be 1.
    pub top5: Option<f64>,
    /// Predicted class of every test image.
    pub predictions: Vec<usize>,
    /// Final mean cross-entropy of the training images plus the penalty.
    pub objective: f64,
    /// Number of L-BFGS steps.
    pub iterations: usize,
    /// Whether the tolerance was reached.
    pub converged: bool,
    /// The fitted classifier.
    pub model: LinearModel,
}

/// A linear classifier on standardised features.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearModel {
    /// Mean of every feature over the training images.
    pub mean: Vec<f64>,
    /// Standard deviation of every feature over the training images (unbiased), plus 1e-6.
    pub deviation: Vec<f64>,
    /// `[classes, width]`, row-major, for standardised features.
    pub weight: Vec<f64>,
    /// `[classes]`.
    pub bias: Vec<f64>,
}

/// Fits a classifier to the training features and evaluates it on the test features.
///
/// Minimises mean cross-entropy + l2 · Σ w², starting at zero. Sums are f64, in an order that depends only on the number of
/// images.
///
/// # Panics
///
/// If a set is empty or inconsistent, or the widths or classes differ.
pub fn linear_probe(train: &Features, test: &Features, config: &LinearConfig) -> LinearResult {
    check_pair(train, test);
    let (mean, deviation) = moments(train);
    let x = standardised(train, &mean, &deviation);
    let problem = Problem {
        x,
        width: train.width,
        labels: train.labels,
        classes: train.classes,
        l2: config.l2,
    };
    let limits = Limits {
        max_iterations: config.max_iterations,
        tolerance: config.tolerance,
    };
    let start = vec![0.0; train.classes * (train.width + 1)];
    let mut minimum = minimise(start, limits, |parameters| problem.evaluate(parameters));
    let bias = minimum.x.split_off(train.classes * train.width);
    let model = LinearModel {
        mean,
        deviation,
        weight: minimum.x,
        bias,
    };

    let logits: Vec<Vec<f64>> = (0..test.len())
        .into_par_iter()
        .map(|image| model.logits(test.row(image)))
        .collect();
    let predictions: Vec<usize> = logits.iter().map(|logits| argmax(logits)).collect();
    let in_top5 = || {
        logits
            .iter()
            .zip(test.labels)
            .filter(|(logits, label)| rank(logits, **label) < 5)
            .count()
    };
    LinearResult {
        top1: top1(&predictions, test.labels),
        top5: (test.classes > 5).then(|| in_top5() as f64 / test.len() as f64),
        predictions,
        objective: minimum.value,
        iterations: minimum.iterations,
        converged: minimum.converged,
        model,
    }
}

impl LinearModel {
    /// Scores `[classes]` of one image from its raw (not standardised) features.
    ///
    /// # Panics
    ///
    /// If `row` is not as wide as the training features.
    pub fn logits(&self, row: &[f32]) -> Vec<f64> {
        let width = self.mean.len();
        assert!(
            row.len() == width,
            "the classifier takes {width} features, not {}",
            row.len()
        );
        let x: Vec<f64> = (0..width)
            .map(|feature| (f64::from(row[feature]) - self.mean[feature]) / self.deviation[feature])
            .collect();
        let score = |weight: &[f64]| weight.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>();
        self.weight
            .chunks_exact(width)
            .zip(&self.bias)
            .map(|(weight, bias)| score(weight) + bias)
            .collect()
    }
}

/// Mean and unbiased standard deviation plus 1e-6 of every feature, summed in the order of the images.
fn moments(features: &Features) -> (Vec<f64>, Vec<f64>) {
    let (images, width) = (features.len() as f64, features.width);
    let mut mean = vec![0.0; width];
    for row in features.rows.chunks_exact(width) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(mean, &x)| *mean += f64::from(x) / images);
    }
    let mut variance = vec![0.0; width];
    for row in features.rows.chunks_exact(width) {
        let squares = variance.iter_mut().zip(row).zip(&mean);
        squares.for_each(|((variance, &x), mean)| *variance += (f64::from(x) - mean).powi(2));
    }
    // The deviation of a single image is 0, not 0 / 0.
    let freedom = (images - 1.0).max(1.0);
    (
        mean,
        variance
            .into_iter()
            .map(|variance| (variance / freedom).sqrt() + 1e-6)
            .collect(),
    )
}

fn standardised(features: &Features, mean: &[f64], deviation: &[f64]) -> Vec<f64> {
    let width = features.width;
    let value = |(index, &x): (usize, &f32)| (f64::from(x) - mean[index % width]) / deviation[index % width];
    features.rows.par_iter().enumerate().map(value).collect()
}

/// Number of classes that score higher than `label`; in a tie the lower class ranks first.
fn rank(logits: &[f64], label: usize) -> usize {
    let own = logits[label];
    logits
        .iter()
        .enumerate()
        .filter(|&(class, &score)| score > own || (score == own && class < label))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Features from a formula: a wave per class and a stronger pattern per image.
    fn formula(images: usize, width: usize, classes: usize, phase: f64) -> (Vec<f32>, Vec<usize>) {
        let labels: Vec<usize> = (0..images).map(|i| (i * 11 + 3) % classes).collect();
        let value = |i: f64, j: f64, label: f64| {
            (label * 1.7 + j * 0.9).sin() + 2.0 * (0.13 * i * i + 0.77 * i * j + 0.29 * j * j + phase).cos()
        };
        let at = |k: usize| value((k / width) as f64, (k % width) as f64, labels[k / width] as f64) as f32;
        ((0..images * width).map(at).collect(), labels)
    }

    fn probe(images: usize, width: usize, classes: usize) -> LinearResult {
        let (rows, labels) = formula(images, width, classes, 0.0);
        let (test_rows, test_labels) = formula(97, width, classes, 2.0);
        let train = Features {
            rows: &rows,
            width,
            labels: &labels,
            classes,
        };
        linear_probe(
            &train,
            &Features {
                rows: &test_rows,
                labels: &test_labels,
                ..train
            },
            &LinearConfig::default(),
        )
    }

    /// The expected values are the output of this program (torch 2.15):
    ///
    /// ```python
    /// import torch
    /// torch.set_default_dtype(torch.float64)
    /// def formula(n, f, classes, phase):
    ///     i, j = torch.arange(n)[:, None], torch.arange(f)[None, :]
    ///     y = (torch.arange(n) * 11 + 3) % classes
    ///     noise = 2.0 * (0.13 * i * i + 0.77 * i * j + 0.29 * j * j + phase).cos()
    ///     return ((y[:, None] * 1.7 + j * 0.9).sin() + noise).float().double(), y
    /// for n, f, classes in [(150, 6, 4), (203, 33, 7), (40, 64, 10)]:
    ///     (a, ya), (b, yb) = formula(n, f, classes, 0.0), formula(97, f, classes, 2.0)
    ///     mean, std = a.mean(0), a.std(0) + 1e-6
    ///     a, b = (a - mean) / std, (b - mean) / std
    ///     probe = torch.nn.Linear(f, classes)
    ///     lb = torch.optim.LBFGS(probe.parameters(), max_iter=5000, tolerance_grad=1e-10, tolerance_change=0,
    ///                            history_size=50, line_search_fn="strong_wolfe")
    ///     def closure():
    ///         lb.zero_grad()
    ///         l = torch.nn.functional.cross_entropy(probe(a), ya) + 1e-3 * probe.weight.square().sum()
    ///         l.backward(); return l
    ///     for _ in range(3): lb.step(closure)
    ///     logits = probe(b); top5 = (logits.topk(5).indices == yb[:, None]).any(1).sum().item() if classes > 5 else None
    ///     print(n, f, classes, closure().item(), (logits.argmax(1) == yb).sum().item(), top5, probe.weight.norm().item())
    /// ```
    #[test]
    fn the_optimum_agrees_with_torch() {
        let table = [
            (150, 6, 4, 0.893348190, 55.0, None, 2.413474),
            (203, 33, 7, 0.310365530, 66.0, Some(96.0), 10.913196),
            (40, 64, 10, 0.035622204, 22.0, Some(84.0), 5.203669),
        ];
        for (images, width, classes, objective, top1, top5, norm) in table {
            let result = probe(images, width, classes);
            assert!(result.converged, "{} iterations", result.iterations);
            assert!(
                (result.objective - objective).abs() < 1e-7,
                "{} against {objective}",
                result.objective
            );
            assert_eq!((result.top1 * 97.0, result.top5.map(|top5| top5 * 97.0)), (top1, top5));
            let own = result.model.weight.iter().map(|w| w * w).sum::<f64>().sqrt();
            assert!(
                (own - norm).abs() < 1e-3 * norm,
                "norm of the weights {own} against {norm}"
            );
        }
    }

    #[test]
    fn a_separable_set_is_learned() {
        let rows: Vec<f32> = (0..60)
            .flat_map(|i| [(i % 3) as f32 * 10.0, ((i * 7) % 5) as f32])
            .collect();
        let labels: Vec<usize> = (0..60).map(|i| i % 3).collect();
        let set = Features {
            rows: &rows,
            width: 2,
            labels: &labels,
            classes: 3,
        };
        let result = linear_probe(&set, &set, &LinearConfig::default());
        assert_eq!((result.top1, result.top5, result.converged), (1.0, None, true));
        assert_eq!(argmax(&result.model.logits(&[21.0, 2.0])), 2);
    }

    #[test]
    fn dead_features_unseen_classes_and_a_single_image_stay_finite() {
        let rows = [0.5, 1.0, 0.5, 2.0, 0.5, 3.0];
        let train = Features {
            rows: &rows,
            width: 2,
            labels: &[0, 1, 1],
            classes: 9,
        };
        let test = Features {
            rows: &[7.0, 3.0],
            width: 2,
            labels: &[1],
            classes: 9,
        };
        let result = linear_probe(&train, &test, &LinearConfig::default());
        assert_eq!((result.top1, result.top5), (1.0, Some(1.0)));
        assert!(result.objective.is_finite() && result.converged);
        let single = Features {
            rows: &rows[..2],
            labels: &[4],
            ..train
        };
        assert_eq!(linear_probe(&single, &test, &LinearConfig::default()).predictions, [4]);
    }

    #[test]
    fn ranks_count_higher_scores() {
        assert_eq!(
            [0, 1, 2, 3].map(|label| rank(&[0.5, 2.0, 0.5, -1.0], label)),
            [1, 0, 2, 3]
        );
    }

    #[test]
    fn the_result_does_not_depend_on_the_number_of_threads() {
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| probe(203, 33, 7))
        };
        let single = with_threads(1);
        assert_eq!(single, with_threads(2));
        assert_eq!(single, with_threads(5));
    }
}
