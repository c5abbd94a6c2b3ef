//! Linear SVMs, one per class, with C chosen by cross-validation: the protocol of VOC07 classification (VISSL).

use crate::ap::{AveragePrecision, MeanAp, Presence, average_precision};
use crate::block::{Linear, scores};
use crate::input::{BlockScratch, Input, Transform};
use crate::product::Float;
use crate::progress::{Control, Progress, Stage, report};
use crate::svm_fit::{Machine, Machines};
use crate::{EvalError, Rows, Set};

/// Settings of [`linear_svm`].
#[derive(Clone, Debug, PartialEq)]
pub struct SvmConfig {
    /// Values of C to choose from, for each class by itself.
    pub costs: Vec<f64>,
    /// Folds of the cross-validation; a class with fewer positives has as many folds as positives.
    pub folds: usize,
    /// Weight of positives in the loss.
    pub positive_weight: f64,
    /// Whether rows are divided by their length + 1e-5.
    pub normalise: bool,
    /// Maximum number of L-BFGS steps of a fit.
    pub max_iterations: usize,
    /// Converged when no component of the gradient is larger than this. The distance from the optimum is at most the length of the
    /// gradient.
    pub tolerance: f64,
    /// Bytes that a normalised copy of the training features may take.
    pub memory: u64,
}

impl Default for SvmConfig {
    /// VISSL's settings for VOC07.
    fn default() -> Self {
        Self {
            costs: vec![0.01, 0.1, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 50.0, 100.0, 1000.0],
            folds: 3,
            positive_weight: 2.0,
            normalise: true,
            max_iterations: 2000,
            tolerance: 1e-5,
            memory: 1 << 30,
        }
    }
}

/// Result of [`linear_svm`].
#[derive(Clone, Debug, PartialEq)]
pub struct SvmResult {
    /// Every class.
    pub classes: Vec<SvmClass>,
    /// Mean of [`AveragePrecision::area`]: what VISSL calls mAP.
    pub mean_area: MeanAp,
    /// Mean of [`AveragePrecision::eleven_point`].
    pub mean_eleven_point: MeanAp,
}

/// The SVM of one class.
#[derive(Clone, Debug, PartialEq)]
pub struct SvmClass {
    /// The chosen C; `None` if the class has no positive or no negative training image, so that nothing could be fitted.
    pub cost: Option<f64>,
    /// Every C with the mean over folds of the average precision (in steps) on the held-out images. Empty with fewer than two
    /// positives or two negatives: the first C is taken.
    pub cross_validated: Vec<(f64, f64)>,
    /// Number of positive training images.
    pub positives: usize,
    /// On the test images; `None` without a positive test image, or if nothing could be fitted.
    pub average_precision: Option<AveragePrecision>,
    /// Number of L-BFGS steps of the last fit.
    pub iterations: usize,
    /// Whether all its fits reached the tolerance.
    pub converged: bool,
    /// `[width]`, for rows as they are classified (normalised, if that is configured). Zeros if nothing could be fitted.
    pub weight: Vec<f64>,
    /// Bias.
    pub bias: f64,
    /// Score of every test image.
    pub scores: Vec<f64>,
}

/// Bytes of the searches of the machines that are fitted together.
const SEARCH_BYTES: usize = 512 << 20;

/// Vectors of the length of the parameters that a search holds.
const VECTORS: usize = 28;

/// Fits an SVM for every class of `train` and evaluates the ranking of the test images.
///
/// `train_presence` and `test_presence` are `[images, classes]`, row by row; the labels of the rows are not used. As in VISSL,
/// difficult images are negatives in training and left out of the test. Folds are those of scikit-learn's `StratifiedKFold`
/// without shuffling; of equally good C the first is chosen.
///
/// # Errors
///
/// If a set is empty, its presence does not fit, a feature is not finite, the widths or classes differ, a setting is outside its
/// range, rows cannot be read, or `control` stops it.
pub fn linear_svm(
    train: &dyn Rows,
    train_presence: &[Presence],
    test: &dyn Rows,
    test_presence: &[Presence],
    config: &SvmConfig,
    control: &mut Control,
) -> Result<SvmResult, EvalError> {
    check(train, train_presence, test, test_presence, config)?;
    let (classes, width) = (train.classes(), train.width());
    let transform = || {
        if config.normalise {
            Transform::Length
        } else {
            Transform::None
        }
    };
    let memory = if config.normalise { config.memory } else { 0 };
    let input = Input::new(train, Set::Training, transform(), memory)?;
    let positive: Vec<bool> = train_presence.iter().map(|&p| p == Presence::Present).collect();
    let plans: Vec<Plan> = (0..classes)
        .map(|class| Plan::of(&column(&positive, classes, class), config.folds))
        .collect();
    let folds: Vec<u8> = (0..train.len() * classes)
        .map(|at| plans[at % classes].fold_of_row.get(at / classes).copied().unwrap_or(0))
        .collect();
    let machines = Machines {
        input: &input,
        positive: &positive,
        classes,
        folds: &folds,
        positive_weight: config.positive_weight,
    };

    let mut out: Vec<SvmClass> = plans.iter().map(|plan| SvmClass::new(plan, width)).collect();
    let fitted: Vec<usize> = (0..classes).filter(|&class| plans[class].can_be_fitted()).collect();
    let together = (SEARCH_BYTES / (8 * VECTORS * (width + 1) * config.folds)).max(1);
    let steps = fitted.len().div_ceil(together) * (config.costs.len() + 1);
    let mut done = 0;
    for group in fitted.chunks(together) {
        let mut poll = |done: usize| {
            report(
                control,
                Progress {
                    stage: Stage::Choosing,
                    done,
                    total: steps,
                    objective: None,
                },
            )
        };
        // Each C starts at the optima of the previous one.
        let validated: Vec<Machine> = group
            .iter()
            .flat_map(|&class| {
                let fold = move |fold| Machine {
                    class,
                    cost: 0.0,
                    without_fold: Some(fold),
                };
                (0..plans[class].folds).map(fold)
            })
            .collect();
        let mut starts = vec![vec![0.0; width + 1]; validated.len()];
        for &cost in &config.costs {
            let at_cost: Vec<Machine> = validated.iter().map(|&machine| Machine { cost, ..machine }).collect();
            let fits = machines.fit(&at_cost, starts, config.max_iterations, config.tolerance, |_| {
                poll(done)
            })?;
            let parameters: Vec<Vec<f64>> = fits.iter().map(|fit| fit.parameters.clone()).collect();
            let held_out = classify(&input, &parameters, |_| poll(done))?;
            for &class in group {
                let mine: Vec<usize> = (0..validated.len())
                    .filter(|&at| validated[at].class == class)
                    .collect();
                if mine.is_empty() {
                    continue;
                }
                let mut sum = 0.0;
                for &at in &mine {
                    let fold = validated[at].without_fold;
                    let rows: Vec<usize> = (0..train.len())
                        .filter(|&row| Some(plans[class].fold_of_row[row]) == fold)
                        .collect();
                    let truth: Vec<Presence> = rows
                        .iter()
                        .map(|&row| match positive[row * classes + class] {
                            true => Presence::Present,
                            false => Presence::Absent,
                        })
                        .collect();
                    let scores: Vec<f64> = rows.iter().map(|&row| held_out[at][row]).collect();
                    // Every fold has a positive.
                    sum += average_precision(&truth, &scores)?.map_or(0.0, |ap| ap.step);
                    out[class].converged &= fits[at].converged;
                }
                out[class].cross_validated.push((cost, sum / mine.len() as f64));
            }
            starts = parameters;
            done += 1;
        }
        let last: Vec<Machine> = group
            .iter()
            .map(|&class| Machine {
                class,
                cost: best(&out[class].cross_validated).unwrap_or(config.costs[0]),
                without_fold: None,
            })
            .collect();
        let starts = vec![vec![0.0; width + 1]; last.len()];
        let fits = machines.fit(&last, starts, config.max_iterations, config.tolerance, |_| poll(done))?;
        for (machine, fit) in last.iter().zip(fits) {
            let class = &mut out[machine.class];
            class.cost = Some(machine.cost);
            class.iterations = fit.iterations;
            class.converged &= fit.converged;
            (class.weight, class.bias) = (fit.parameters[..width].to_vec(), fit.parameters[width]);
        }
        done += 1;
    }
    drop(input);

    let input = Input::new(test, Set::Test, transform(), 0)?;
    let parameters: Vec<Vec<f64>> = out
        .iter()
        .map(|class| class.weight.iter().copied().chain([class.bias]).collect())
        .collect();
    let all = classify(&input, &parameters, |rows| {
        report(
            control,
            Progress {
                stage: Stage::Scoring,
                done: rows,
                total: test.len(),
                objective: None,
            },
        )
    })?;
    for (at, (class, scores)) in out.iter_mut().zip(all).enumerate() {
        if class.cost.is_some() {
            class.average_precision = average_precision(&column(test_presence, classes, at), &scores)?;
        }
        class.scores = scores;
    }
    let mean =
        |of: fn(&AveragePrecision) -> f64| MeanAp::of(out.iter().map(|class| class.average_precision.as_ref().map(of)));
    Ok(SvmResult {
        mean_area: mean(|ap| ap.area),
        mean_eleven_point: mean(|ap| ap.eleven_point),
        classes: out,
    })
}

fn check(
    train: &dyn Rows,
    train_presence: &[Presence],
    test: &dyn Rows,
    test_presence: &[Presence],
    config: &SvmConfig,
) -> Result<(), EvalError> {
    let classes = train.classes();
    for (set, rows, presence) in [(Set::Training, train, train_presence), (Set::Test, test, test_presence)] {
        if rows.is_empty() || rows.width() == 0 || classes == 0 {
            return Err(EvalError::Empty {
                set,
                rows: rows.len(),
                width: rows.width(),
            });
        }
        if presence.len() != rows.len() * classes {
            return Err(EvalError::Setting(format!(
                "the presence of the {set} set is {} values, not {} rows of {classes} classes",
                presence.len(),
                rows.len()
            )));
        }
    }
    let [a, b] = [train, test].map(|rows| [rows.width(), rows.classes()]);
    if a != b {
        return Err(EvalError::Mismatch { training: a, test: b });
    }
    let positive = |value: f64| value > 0.0 && value.is_finite();
    if config.costs.is_empty() || !config.costs.iter().all(|&cost| positive(cost)) {
        return Err(EvalError::Setting(format!(
            "an SVM needs one or more C, each above 0: {:?}",
            config.costs
        )));
    }
    if !(2..=200).contains(&config.folds)
        || !positive(config.positive_weight)
        || config.tolerance.is_nan()
        || config.tolerance < 0.0
    {
        return Err(EvalError::Setting(format!(
            "an SVM needs 2 to 200 folds, a weight of positives above 0 and a tolerance of at least 0, not {}, {} and {}",
            config.folds, config.positive_weight, config.tolerance
        )));
    }
    Ok(())
}

fn column<T: Copy>(values: &[T], classes: usize, class: usize) -> Vec<T> {
    values.iter().skip(class).step_by(classes).copied().collect()
}

/// The first of the costs with the highest score.
fn best(scores: &[(f64, f64)]) -> Option<f64> {
    let better = |best: (f64, f64), next: (f64, f64)| if next.1 > best.1 { next } else { best };
    scores.iter().copied().reduce(better).map(|(cost, _)| cost)
}

/// Scores of all rows: one vector per classifier, whose parameters are weights and a bias.
fn classify(
    input: &Input,
    parameters: &[Vec<f64>],
    mut after: impl FnMut(usize) -> Result<(), EvalError>,
) -> Result<Vec<Vec<f64>>, EvalError> {
    let (columns, width) = (parameters.len(), input.width());
    let mut all = vec![Vec::with_capacity(input.len()); columns];
    if columns == 0 {
        return Ok(all);
    }
    let weight: Vec<f64> = parameters.iter().flat_map(|p| &p[..width]).copied().collect();
    let bias: Vec<f64> = parameters.iter().map(|p| p[width]).collect();
    let (mut scratch, mut converted, mut out) = (BlockScratch::default(), Vec::new(), Vec::new());
    for range in input.blocks(columns) {
        let block = f64::convert(input.block(range.clone(), &mut scratch)?, &mut converted);
        let classifier = Linear {
            weight: &weight,
            bias: &bias,
        };
        scores(classifier, range.start, block, &mut out, |_, _| ());
        for row in out.chunks_exact(columns) {
            all.iter_mut().zip(row).for_each(|(all, &score)| all.push(score));
        }
        after(range.end)?;
    }
    Ok(all)
}

/// How one class is cross-validated.
struct Plan {
    positives: usize,
    negatives: usize,
    /// Number of folds: 0 if there are too few images to validate.
    folds: u8,
    fold_of_row: Vec<u8>,
}

impl Plan {
    fn of(positive: &[bool], folds: usize) -> Self {
        let positives = positive.iter().filter(|&&positive| positive).count();
        let negatives = positive.len() - positives;
        let folds = folds.min(positives).min(negatives);
        let folds = if folds < 2 { 0 } else { folds as u8 };
        Self {
            positives,
            negatives,
            folds,
            fold_of_row: stratified(positive, folds),
        }
    }

    fn can_be_fitted(&self) -> bool {
        self.positives > 0 && self.negatives > 0
    }
}

/// The fold of every row, as scikit-learn's `StratifiedKFold(folds)` assigns it: as if the rows were sorted by label (in the
/// order of first appearance) and dealt to the folds in turn; within a label, earlier rows are in earlier folds.
fn stratified(positive: &[bool], folds: u8) -> Vec<u8> {
    if folds == 0 {
        return Vec::new();
    }
    let first = positive.first().copied().unwrap_or(false);
    let count = positive.iter().filter(|&&label| label == first).count();
    // Positions in the sorted order that belong to each label.
    let ranges = [0..count, count..positive.len()];
    let mut remaining = ranges.map(|range| {
        let in_fold = |fold: u8| {
            range
                .clone()
                .filter(|at| at % usize::from(folds) == usize::from(fold))
                .count()
        };
        (0..folds).map(in_fold).collect::<Vec<usize>>()
    });
    let fold = positive.iter().map(|&label| {
        let remaining = &mut remaining[usize::from(label != first)];
        let fold = remaining.iter().position(|&left| left > 0).unwrap_or(0);
        remaining[fold] -= 1;
        fold as u8
    });
    fold.collect()
}

impl SvmClass {
    fn new(plan: &Plan, width: usize) -> Self {
        Self {
            cost: None,
            cross_validated: Vec::new(),
            positives: plan.positives,
            average_precision: None,
            iterations: 0,
            converged: true,
            weight: vec![0.0; width],
            bias: 0.0,
            scores: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Features, unattended};
    use Presence::{Absent, Difficult, Present};

    #[test]
    fn folds_are_those_of_scikit_learn() {
        let goldens: serde_json::Value = serde_json::from_str(include_str!("../tests/goldens.json")).unwrap();
        for case in goldens["folds"].as_array().unwrap() {
            let list = |key: &str| case[key].as_array().unwrap().clone();
            let positive: Vec<bool> = list("positive").iter().map(|v| v.as_bool().unwrap()).collect();
            let expected: Vec<u8> = list("fold_of_row").iter().map(|v| v.as_u64().unwrap() as u8).collect();
            let folds = case["folds"].as_u64().unwrap();
            assert_eq!(stratified(&positive, folds as u8), expected, "{folds} folds");
        }
    }

    /// Two features; class 0 is on the right, class 1 is everywhere, class 2 nowhere, class 3 on one image, class 4 difficult
    /// on one test image.
    #[test]
    fn classes_that_cannot_be_fitted_or_validated_are_reported_and_not_averaged() {
        let images = 12;
        let rows: Vec<f32> = (0..images)
            .flat_map(|i| [if i % 2 == 0 { 1.0 } else { -1.0 }, (i as f32 * 0.7).sin()])
            .collect();
        let labels = vec![0; images];
        let set = Features {
            rows: &rows,
            width: 2,
            labels: &labels,
            classes: 5,
        };
        let of = |present| if present { Present } else { Absent };
        let presence: Vec<Presence> = (0..images)
            .flat_map(|i| [of(i % 2 == 0), Present, Absent, of(i == 4), of(i % 2 == 1)])
            .collect();
        let mut test = presence.clone();
        test[5 + 4] = Difficult;
        let config = SvmConfig {
            costs: vec![0.1, 1.0],
            ..SvmConfig::default()
        };
        let result = linear_svm(&set, &presence, &set, &test, &config, &mut unattended).unwrap();
        let classes = &result.classes;
        let ap = |class: usize| classes[class].average_precision.as_ref().map(|ap| ap.area);
        assert_eq!(
            (classes[0].cost, ap(0)),
            (Some(0.1), Some(1.0)),
            "of equal C, the first"
        );
        assert_eq!((classes[1].cost, ap(1), classes[1].positives), (None, None, 12));
        assert_eq!((classes[2].cost, ap(2), classes[2].positives), (None, None, 0));
        assert_eq!((classes[3].cost, classes[3].cross_validated.len()), (Some(0.1), 0));
        assert_eq!(
            classes[4]
                .average_precision
                .as_ref()
                .map(|ap| (ap.left_out, ap.positives)),
            Some((1, 5))
        );
        assert_eq!((result.mean_area.classes, result.mean_area.undefined), (3, 2));
    }

    #[test]
    fn the_result_does_not_depend_on_the_number_of_threads() {
        let rows: Vec<f32> = (0..600 * 70)
            .map(|k| (k as f32 * 0.77).sin() + (k as f32 * 0.013).cos())
            .collect();
        let labels = vec![0; 600];
        let set = Features {
            rows: &rows,
            width: 70,
            labels: &labels,
            classes: 3,
        };
        let presence: Vec<Presence> = (0..1800)
            .map(|at| if at * at % 11 < 4 { Present } else { Absent })
            .collect();
        let config = SvmConfig {
            costs: vec![0.01, 0.1],
            ..SvmConfig::default()
        };
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| linear_svm(&set, &presence, &set, &presence, &config, &mut unattended).unwrap())
        };
        let single = with_threads(1);
        assert_eq!(single, with_threads(2));
        assert_eq!(single, with_threads(5));
    }

    #[test]
    fn wrong_sizes_and_settings_are_refused() {
        let set = Features {
            rows: &[1.0, 2.0],
            width: 1,
            labels: &[0, 0],
            classes: 1,
        };
        let refused = |presence: &[Presence], config: &SvmConfig| {
            linear_svm(&set, presence, &set, &[Present, Absent], config, &mut unattended)
                .unwrap_err()
                .to_string()
        };
        let config = SvmConfig::default();
        assert_eq!(
            refused(&[Present], &config),
            "the presence of the training set is 1 values, not 2 rows of 1 classes"
        );
        for config in [
            SvmConfig {
                costs: vec![],
                ..config.clone()
            },
            SvmConfig {
                costs: vec![-1.0],
                ..config.clone()
            },
            SvmConfig {
                folds: 1,
                ..config.clone()
            },
        ] {
            assert!(refused(&[Present, Absent], &config).starts_with("an SVM needs"));
        }
    }
}
