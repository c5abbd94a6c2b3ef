//! The linear probe: L2-regularised multinomial logistic regression on standardised features, trained to convergence.
//!
//! The problem is convex and starts at zero, so the solution is unique: no learning rate, no schedule, no seed.

use crate::block::{Linear, scores};
use crate::input::{BlockScratch, Input, Transform};
use crate::logistic::{EXCLUDED, Fit, Problem};
use crate::moments::moments;
use crate::product::Float;
use crate::progress::{Control, Progress, Stage, report};
use crate::rank::rank;
use crate::report::ClassReport;
use crate::rows::check_pair;
use crate::{EvalError, Rows, Set};

/// Settings of [`linear_probe`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearConfig {
    /// Factor of Σ w² (weights only, not biases), which is added to the mean cross-entropy (≥ 0).
    pub l2: f64,
    /// Maximum number of L-BFGS steps.
    pub max_iterations: usize,
    /// Converged when no component of the gradient is larger than this.
    pub tolerance: f64,
    /// Whether every feature is shifted and scaled to mean 0 and standard deviation 1 over the training images.
    pub standardise: bool,
    /// Bytes that a standardised copy of the training features may take. Without it they are standardised again whenever they are
    /// read; the result is the same.
    pub memory: u64,
}

impl Default for LinearConfig {
    fn default() -> Self {
        Self {
            l2: 1e-3,
            max_iterations: 1000,
            tolerance: 1e-6,
            standardise: true,
            memory: 1 << 30,
        }
    }
}

impl LinearConfig {
    /// The `l2` with which the optimum is that of scikit-learn's `LogisticRegression(C=c)`, which fits a single vector of weights
    /// for two classes and therefore penalises them twice as much.
    pub fn l2_of_c(c: f64, images: usize, classes: usize) -> f64 {
        let factor = if classes == 2 { 1.0 } else { 2.0 };
        1.0 / (factor * images as f64 * c)
    }

    pub(crate) fn check(&self) -> Result<(), EvalError> {
        if !(self.l2 >= 0.0 && self.l2.is_finite()) {
            return Err(EvalError::Setting(format!(
                "the linear probe needs a finite l2 of at least 0, not {}",
                self.l2
            )));
        }
        if self.tolerance.is_nan() || self.tolerance < 0.0 {
            return Err(EvalError::Setting(format!(
                "the linear probe needs a tolerance of at least 0, not {}",
                self.tolerance
            )));
        }
        Ok(())
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
    /// Accuracy per class, confusions, and the calibration of the probabilities.
    pub report: ClassReport,
    /// Classes without training images. They are never predicted.
    pub unseen: Vec<usize>,
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
    /// Number of classes.
    pub classes: usize,
    /// Classes with training images, ascending: those of the rows of `weight`.
    pub seen: Vec<usize>,
    /// Mean of every feature over the training images; 0 without standardisation.
    pub mean: Vec<f64>,
    /// Standard deviation of every feature over the training images (unbiased), plus 1e-6; 1 without standardisation.
    pub deviation: Vec<f64>,
    /// `[seen, width]`, row-major, for standardised features.
    pub weight: Vec<f64>,
    /// `[seen]`.
    pub bias: Vec<f64>,
}

/// Fits a classifier to the training features and evaluates it on the test features.
///
/// Minimises mean cross-entropy + l2 · Σ w² over the classes that have training images, starting at zero. The training features
/// are read about 40 to 300 times. Sums are f64, in an order that depends only on the sizes.
///
/// # Errors
///
/// If a set is empty or inconsistent, a label is no class, a feature is not finite, the widths or classes differ, a setting is
/// outside its range, rows cannot be read, or `control` stops it.
pub fn linear_probe(
    train: &dyn Rows,
    test: &dyn Rows,
    config: &LinearConfig,
    control: &mut Control,
) -> Result<LinearResult, EvalError> {
    check_pair(train, test)?;
    config.check()?;
    let seen = seen(train);
    let targets = targets(train, &seen);
    let transform = transform(train, config, |_| true, control)?;
    let input = Input::new(train, Set::Training, transform.clone(), cache(&transform, config))?;
    let problem = Problem {
        input: &input,
        targets: &targets,
        columns: seen.len(),
        l2: config.l2,
    };
    let start = vec![0.0; seen.len() * (train.width() + 1)];
    let fit = problem.fit(start, config.max_iterations, config.tolerance, |iterations, value| {
        report(
            control,
            Progress {
                stage: Stage::Fitting,
                done: iterations,
                total: config.max_iterations,
                objective: value.is_finite().then_some(value),
            },
        )
    })?;
    drop(input);

    let input = Input::new(test, Set::Test, transform.clone(), 0)?;
    let mut outcomes = Vec::with_capacity(test.len());
    classify(&input, &seen, &fit, |block| {
        outcomes.extend(block);
        report(
            control,
            Progress {
                stage: Stage::Scoring,
                done: outcomes.len(),
                total: test.len(),
                objective: None,
            },
        )
    })?;
    let fraction = |count: usize| count as f64 / test.len() as f64;
    let predictions: Vec<usize> = outcomes.iter().map(|outcome| outcome.prediction).collect();
    let confidences: Vec<f64> = outcomes.iter().map(|outcome| outcome.confidence).collect();
    let in_top5 = || outcomes.iter().filter(|outcome| outcome.in_top5).count();
    let correct = outcomes.iter().filter(|outcome| outcome.correct).count();
    Ok(LinearResult {
        top1: fraction(correct),
        top5: (test.classes() > 5).then(|| fraction(in_top5())),
        report: ClassReport::of(test.labels(), &predictions, Some(&confidences), test.classes()),
        predictions,
        unseen: (0..train.classes())
            .filter(|class| seen.binary_search(class).is_err())
            .collect(),
        objective: fit.objective,
        iterations: fit.iterations,
        converged: fit.converged,
        model: LinearModel::new(train, seen, transform, fit),
    })
}

/// Classes that have rows, ascending.
pub(crate) fn seen(rows: &dyn Rows) -> Vec<usize> {
    let mut has_rows = vec![false; rows.classes()];
    rows.labels().iter().for_each(|&label| has_rows[label] = true);
    (0..rows.classes()).filter(|&class| has_rows[class]).collect()
}

/// The column of every row's class; [`EXCLUDED`] for a class that is not among `seen`.
pub(crate) fn targets(rows: &dyn Rows, seen: &[usize]) -> Vec<usize> {
    let mut column = vec![EXCLUDED; rows.classes()];
    seen.iter().enumerate().for_each(|(at, &class)| column[class] = at);
    rows.labels().iter().map(|&label| column[label]).collect()
}

/// The transformation that `config` asks for, measured on the rows that `included` accepts.
pub(crate) fn transform(
    rows: &dyn Rows,
    config: &LinearConfig,
    included: impl Fn(usize) -> bool + Sync,
    control: &mut Control,
) -> Result<Transform, EvalError> {
    if !config.standardise {
        return Ok(Transform::None);
    }
    let (mean, deviation) = moments(rows, Set::Training, included, control)?;
    Ok(Transform::Standardise { mean, deviation })
}

/// Bytes of a copy: rows that are not transformed need none.
pub(crate) fn cache(transform: &Transform, config: &LinearConfig) -> u64 {
    if *transform == Transform::None {
        0
    } else {
        config.memory
    }
}

/// What was predicted for one row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub prediction: usize,
    pub correct: bool,
    pub in_top5: bool,
    /// Probability of the prediction.
    pub confidence: f64,
    /// −ln of the probability of the true class.
    pub cross_entropy: f64,
}

/// Calls `visit` with the outcomes of every block of rows.
pub(crate) fn classify(
    input: &Input,
    seen: &[usize],
    fit: &Fit,
    mut visit: impl FnMut(Vec<Outcome>) -> Result<(), EvalError>,
) -> Result<(), EvalError> {
    let columns = seen.len();
    let (weight, bias) = fit.parameters.split_at(columns * input.width());
    let (mut scratch, mut converted, mut out) = (BlockScratch::default(), Vec::new(), Vec::new());
    for range in input.blocks(columns) {
        let block = f64::convert(input.block(range.clone(), &mut scratch)?, &mut converted);
        let outcomes = scores(Linear { weight, bias }, range.start, block, &mut out, |rows, scores| {
            let labels = &input.labels()[rows];
            let outcomes = scores.chunks_exact(columns).zip(labels);
            outcomes
                .map(|(scores, &label)| Outcome::of(scores, seen, label))
                .collect::<Vec<_>>()
        });
        visit(outcomes.concat())?;
    }
    Ok(())
}

impl Outcome {
    fn of(scores: &[f64], seen: &[usize], label: usize) -> Self {
        let best = argmax(scores);
        let total: f64 = scores.iter().map(|score| (score - scores[best]).exp()).sum();
        let own = seen.binary_search(&label).ok();
        Self {
            prediction: seen[best],
            correct: own == Some(best),
            in_top5: own.is_some_and(|own| rank(scores.len(), own, |class| scores[class]) < 5),
            confidence: 1.0 / total,
            cross_entropy: own.map_or(f64::INFINITY, |own| total.ln() + scores[best] - scores[own]),
        }
    }
}

/// Index of the largest value, the lowest index in case of a tie.
fn argmax(values: &[f64]) -> usize {
    let mut best = 0;
    for (index, &value) in values.iter().enumerate().skip(1) {
        if value > values[best] {
            best = index;
        }
    }
    best
}

impl LinearModel {
    fn new(train: &dyn Rows, seen: Vec<usize>, transform: Transform, fit: Fit) -> Self {
        let width = train.width();
        let mut weight = fit.parameters;
        let bias = weight.split_off(seen.len() * width);
        let (mean, deviation) = match transform {
            Transform::Standardise { mean, deviation } => (mean, deviation),
            Transform::None | Transform::Length => (vec![0.0; width], vec![1.0; width]),
        };
        Self {
            classes: train.classes(),
            seen,
            mean,
            deviation,
            weight,
            bias,
        }
    }

    /// Scores `[classes]` of one image from its raw (not standardised) features; −∞ for a class without training images.
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
        let mut logits = vec![f64::NEG_INFINITY; self.classes];
        let rows = self.weight.chunks_exact(width).zip(&self.bias).zip(&self.seen);
        rows.for_each(|((weight, bias), &class)| logits[class] = score(weight) + bias);
        logits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Features, unattended};

    fn run(train: &dyn Rows, test: &dyn Rows, config: &LinearConfig) -> LinearResult {
        linear_probe(train, test, config, &mut unattended).unwrap()
    }

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
        run(
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
        let result = run(&set, &set, &LinearConfig::default());
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
        let result = run(&train, &test, &LinearConfig::default());
        assert_eq!((result.top1, result.top5), (1.0, Some(1.0)));
        assert!(result.objective.is_finite() && result.converged);
        let single = Features {
            rows: &rows[..2],
            labels: &[4],
            ..train
        };
        assert_eq!(run(&single, &test, &LinearConfig::default()).predictions, [4]);
    }

    #[test]
    fn a_class_of_the_test_set_alone_is_wrong_and_reported() {
        let rows: Vec<f32> = (0..40).flat_map(|i| [(i % 2) as f32, (i as f32 * 0.7).sin()]).collect();
        let labels: Vec<usize> = (0..40).map(|i| [6, 1][i % 2]).collect();
        let train = Features {
            rows: &rows,
            width: 2,
            labels: &labels,
            classes: 8,
        };
        let test = Features {
            rows: &rows[..16],
            labels: &[6, 1, 6, 1, 3, 3, 6, 1],
            ..train
        };
        let result = run(&train, &test, &LinearConfig::default());
        assert_eq!(result.predictions, [6, 1, 6, 1, 6, 1, 6, 1]);
        assert_eq!((result.top1, result.top5), (0.75, Some(0.75)));
        assert_eq!(result.unseen, [0, 2, 3, 4, 5, 7]);
        assert_eq!(result.model.seen, [1, 6]);
        assert_eq!(result.model.logits(&[0.0, 0.0])[3], f64::NEG_INFINITY);
        assert_eq!(
            (result.report.per_class[3].images, result.report.per_class[3].correct),
            (2, 0)
        );
        assert_eq!(result.report.confusion.len(), 4);
        assert!(result.report.calibration_error.unwrap() < 0.5);
    }

    #[test]
    fn one_class_is_predicted_without_a_fit() {
        let set = Features {
            rows: &[1.0, 2.0, 4.0],
            width: 1,
            labels: &[1, 1, 1],
            classes: 2,
        };
        let result = run(&set, &set, &LinearConfig::default());
        assert_eq!((result.top1, result.top5, result.iterations), (1.0, None, 0));
        assert_eq!((result.objective, result.converged), (0.0, true));
        assert_eq!(result.report.calibration_error, Some(0.0));
    }

    #[test]
    fn settings_outside_their_range_are_refused() {
        let set = Features {
            rows: &[1.0, 2.0],
            width: 1,
            labels: &[0, 1],
            classes: 2,
        };
        let config = LinearConfig::default();
        for config in [
            LinearConfig { l2: -1.0, ..config },
            LinearConfig { l2: f64::NAN, ..config },
            LinearConfig {
                tolerance: f64::NAN,
                ..config
            },
        ] {
            let error = linear_probe(&set, &set, &config, &mut unattended).unwrap_err();
            assert!(error.to_string().starts_with("the linear probe needs"), "{error}");
        }
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
