//! Weighted k-nearest-neighbour accuracy (Wu et al., 2018, arXiv 1805.01978). It has no parameters and no training, so it
//! evaluates the features alone. Accuracies of different k, temperature or metric are not comparable.

use crate::neighbours::{Metric, Neighbour, bytes_per_query, nearest};
use crate::progress::{Control, Progress, Stage, report};
use crate::rows::{check_pair, read};
use crate::{EvalError, Rows, Set};
use rayon::prelude::*;

/// Settings of [`knn`].
#[derive(Clone, Debug, PartialEq)]
pub struct KnnConfig {
    /// Numbers of neighbours that vote (≥ 1 each); all training images vote if there are fewer.
    pub ks: Vec<usize>,
    /// T in the weight exp(similarity / T) of a vote (> 0 each); with infinity all votes weigh the same.
    pub temperatures: Vec<f64>,
    /// What is near.
    pub metric: Metric,
}

impl KnnConfig {
    /// One k and one temperature, by cosine.
    pub fn one(k: usize, temperature: f64) -> Self {
        Self {
            ks: vec![k],
            temperatures: vec![temperature],
            metric: Metric::Cosine,
        }
    }

    fn check(&self) -> Result<(), EvalError> {
        if self.ks.is_empty() || self.ks.contains(&0) {
            return Err(EvalError::Setting(format!(
                "kNN needs one or more numbers of neighbours, each at least 1: {:?}",
                self.ks
            )));
        }
        if self.temperatures.is_empty() || !self.temperatures.iter().all(|&t| t > 0.0) {
            return Err(EvalError::Setting(format!(
                "kNN needs one or more temperatures, each above 0: {:?}",
                self.temperatures
            )));
        }
        Ok(())
    }
}

impl Default for KnnConfig {
    fn default() -> Self {
        Self::one(20, 0.07)
    }
}

/// Result of [`knn`].
#[derive(Clone, Debug, PartialEq)]
pub struct KnnResult {
    /// Every k with every temperature: those of the first k first.
    pub scores: Vec<KnnScore>,
}

impl KnnResult {
    /// The score of the first k and the first temperature.
    pub fn first(&self) -> &KnnScore {
        &self.scores[0]
    }
}

/// Accuracy with one k and one temperature.
#[derive(Clone, Debug, PartialEq)]
pub struct KnnScore {
    /// k as configured.
    pub k: usize,
    /// Number of neighbours that voted: `k`, or all training images if there are fewer.
    pub voters: usize,
    /// T as configured.
    pub temperature: f64,
    /// Fraction of the test images whose class was predicted correctly, in [0, 1].
    pub top1: f64,
    /// Fraction of the test images whose class is among the five with most votes; a class without votes is not. `None` with five
    /// classes or fewer.
    pub top5: Option<f64>,
    /// Predicted class of every test image.
    pub predictions: Vec<usize>,
}

/// Largest number of bytes of the test images that are compared in one pass over the training images.
const PASS_BYTES: usize = 512 << 20;

/// Predicts the class of every test image by a vote of its k nearest training images, for every k and temperature at once. Ties
/// go to the earlier training image and to the lower class. Similarities are those of f64.
///
/// The training images are read once for every 512 MiB of test images and their neighbours, so memory does not grow with either
/// number.
///
/// # Errors
///
/// If a set is empty or inconsistent, a label is no class, a feature is not finite, the widths or classes differ, a setting is
/// outside its range, rows cannot be read, or `control` stops it.
pub fn knn(
    train: &dyn Rows,
    test: &dyn Rows,
    config: &KnnConfig,
    control: &mut Control,
) -> Result<KnnResult, EvalError> {
    check_pair(train, test)?;
    config.check()?;
    let k = config.ks.iter().fold(0, |most, &k| most.max(k)).min(train.len());
    let pairs = train.len().saturating_mul(test.len());
    let rows_per_pass = (PASS_BYTES / bytes_per_query(train.width(), k)).max(1024);

    let ballots = config.ks.len() * config.temperatures.len();
    let mut predictions = vec![Vec::with_capacity(test.len()); ballots];
    let mut in_top5 = vec![0usize; ballots];
    let mut done = 0usize;
    let mut scratch = Vec::new();
    for start in (0..test.len()).step_by(rows_per_pass) {
        let range = start..test.len().min(start + rows_per_pass);
        let queries = read(test, Set::Test, range.clone(), &mut scratch)?;
        let found = nearest(train, queries, start, config.metric, k, |rows| {
            done = done.saturating_add(rows.saturating_mul(range.len()));
            report(
                control,
                Progress {
                    stage: Stage::Neighbours,
                    done,
                    total: pairs,
                    objective: None,
                },
            )
        })?;
        let labels = &test.labels()[range];
        let votes: Vec<Vec<Vote>> = found
            .par_iter()
            .zip(labels)
            .map_init(
                || Ballot::new(train.classes()),
                |ballot, (found, &label)| ballot.votes(found, train.labels(), label, config),
            )
            .collect();
        for votes in votes {
            for (at, vote) in votes.into_iter().enumerate() {
                predictions[at].push(vote.prediction);
                in_top5[at] += usize::from(vote.in_top5);
            }
        }
    }

    let scores = predictions.into_iter().zip(in_top5).enumerate();
    let scores = scores.map(|(at, (predictions, in_top5))| {
        let k = config.ks[at / config.temperatures.len()];
        let correct = predictions
            .iter()
            .zip(test.labels())
            .filter(|(prediction, label)| prediction == label)
            .count();
        KnnScore {
            k,
            voters: k.min(train.len()),
            temperature: config.temperatures[at % config.temperatures.len()],
            top1: correct as f64 / test.len() as f64,
            top5: (test.classes() > 5).then(|| in_top5 as f64 / test.len() as f64),
            predictions,
        }
    });
    Ok(KnnResult {
        scores: scores.collect(),
    })
}

#[derive(Clone, Copy)]
struct Vote {
    prediction: usize,
    in_top5: bool,
}

/// Votes for classes; most classes have none.
struct Ballot {
    votes: Vec<f64>,
    voted: Vec<usize>,
}

impl Ballot {
    fn new(classes: usize) -> Self {
        Self {
            votes: vec![0.0; classes],
            voted: Vec::new(),
        }
    }

    /// The votes of `found`, nearest first, for every k and temperature.
    fn votes(&mut self, found: &[Neighbour], labels: &[usize], label: usize, config: &KnnConfig) -> Vec<Vote> {
        let temperatures = config.temperatures.len();
        let mut ascending: Vec<usize> = (0..config.ks.len()).collect();
        ascending.sort_by_key(|&at| config.ks[at]);
        let none = Vote {
            prediction: 0,
            in_top5: false,
        };
        let mut out = vec![none; config.ks.len() * temperatures];
        // Relative to the nearest neighbour the weights cannot overflow; the common factor does not change the vote.
        let nearest = found[0].similarity;
        for (column, &temperature) in config.temperatures.iter().enumerate() {
            let mut counted = 0;
            for &at in &ascending {
                for neighbour in &found[counted..config.ks[at].min(found.len()).max(counted)] {
                    let class = labels[neighbour.index];
                    if !self.voted.contains(&class) {
                        self.voted.push(class);
                    }
                    self.votes[class] += ((neighbour.similarity - nearest) / temperature).exp();
                }
                counted = config.ks[at].min(found.len());
                out[at * temperatures + column] = self.vote(label);
            }
            for class in self.voted.drain(..) {
                self.votes[class] = 0.0;
            }
        }
        out
    }

    fn vote(&self, label: usize) -> Vote {
        let before = |a: usize, b: usize| self.votes[a] > self.votes[b] || (self.votes[a] == self.votes[b] && a < b);
        let prediction = self
            .voted
            .iter()
            .copied()
            .reduce(|best, class| if before(class, best) { class } else { best });
        let rank = self.voted.iter().filter(|&&class| before(class, label)).count();
        Vote {
            prediction: prediction.unwrap_or_default(),
            in_top5: rank < 5 && self.voted.contains(&label),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Features, unattended};
    use std::io;
    use std::ops::{ControlFlow, Range};

    /// Features from a formula: a direction per class plus a stronger pattern.
    fn formula(images: usize, width: usize, classes: usize, phase: f64) -> (Vec<f32>, Vec<usize>) {
        let labels: Vec<usize> = (0..images).map(|i| (i * 11 + 3) % classes).collect();
        let value = |i: usize, j: usize| {
            let (x, y) = (i as f64, j as f64);
            (labels[i] as f64 * 1.7 + y * 0.9).sin() + 2.0 * (0.13 * x * x + 0.77 * x * y + 0.29 * y * y + phase).cos()
        };
        let rows = (0..images * width)
            .map(|k| value(k / width, k % width) as f32)
            .collect();
        (rows, labels)
    }

    struct Table {
        rows: Vec<f32>,
        labels: Vec<usize>,
        width: usize,
        classes: usize,
    }

    impl Table {
        fn of(images: usize, width: usize, classes: usize, phase: f64) -> Self {
            let (rows, labels) = formula(images, width, classes, phase);
            Self {
                rows,
                labels,
                width,
                classes,
            }
        }

        fn view(&self) -> Features<'_> {
            Features {
                rows: &self.rows,
                width: self.width,
                labels: &self.labels,
                classes: self.classes,
            }
        }
    }

    fn run(train: &dyn Rows, test: &dyn Rows, config: &KnnConfig) -> KnnResult {
        knn(train, test, config, &mut unattended).unwrap()
    }

    /// The definition: predictions and the number in the top five, without blocks, partial selection or common factor.
    fn naive(train: &Features, test: &Features, metric: Metric, k: usize, temperature: f64) -> (Vec<usize>, usize) {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
        let similarity = |a: &[f32], b: &[f32]| match metric {
            Metric::Cosine => dot(a, b) / (dot(a, a) * dot(b, b)).sqrt(),
            Metric::Euclidean => -0.5 * (dot(a, a) + dot(b, b) - 2.0 * dot(a, b)),
        };
        let mut in_top5 = 0;
        let predictions = (0..test.len()).map(|query| {
            let mut all: Vec<(f64, usize)> = (0..train.len())
                .map(|i| (similarity(test.row(query), train.row(i)), train.labels[i]))
                .collect();
            all.sort_by(|a, b| b.0.total_cmp(&a.0));
            let mut votes: Vec<(f64, usize)> = (0..train.classes).map(|class| (0.0, class)).collect();
            let nearest = all[0].0;
            let voters = all.iter().take(k);
            voters.for_each(|(similarity, label)| votes[*label].0 += ((similarity - nearest) / temperature).exp());
            votes.retain(|vote| vote.0 > 0.0);
            votes.sort_by(|a, b| b.0.total_cmp(&a.0));
            in_top5 += usize::from(votes.iter().take(5).any(|vote| vote.1 == test.labels[query]));
            votes[0].1
        });
        (predictions.collect(), in_top5)
    }

    #[test]
    fn agrees_with_the_definition() {
        for metric in [Metric::Cosine, Metric::Euclidean] {
            for width in [5, 16, 33, 48] {
                let (train, test) = (Table::of(157, width, 6, 0.0), Table::of(67, width, 6, 2.0));
                let config = KnnConfig {
                    ks: vec![7, 1, 1000, 20],
                    temperatures: vec![0.07, 1.0, f64::INFINITY],
                    metric,
                };
                let result = run(&train.view(), &test.view(), &config);
                assert_eq!(result.scores.len(), 12);
                for (at, score) in result.scores.iter().enumerate() {
                    let (k, temperature) = (config.ks[at / 3], config.temperatures[at % 3]);
                    assert_eq!((score.k, score.voters, score.temperature), (k, k.min(157), temperature));
                    if temperature.is_infinite() && k > 1 {
                        // Equal votes tie, and the definition above breaks ties by sorting alone.
                        continue;
                    }
                    let (predictions, in_top5) = naive(&train.view(), &test.view(), metric, k, temperature);
                    assert_eq!(
                        score.predictions, predictions,
                        "{metric:?}, width {width}, k {k}, T {temperature}"
                    );
                    assert_eq!(score.top5, Some(in_top5 as f64 / 67.0));
                }
                let top1 = result.scores.iter().fold(0.0f64, |most, score| most.max(score.top1));
                assert!(
                    top1 > 1.0 / 6.0 && top1 < 1.0,
                    "the set is neither trivial nor hopeless: {top1}"
                );
            }
        }
    }

    #[test]
    fn many_settings_give_what_each_gives_alone() {
        let (train, test) = (Table::of(300, 12, 7, 0.0), Table::of(90, 12, 7, 1.0));
        let config = KnnConfig {
            ks: vec![20, 5, 20],
            temperatures: vec![0.5, 0.07],
            metric: Metric::Cosine,
        };
        let together = run(&train.view(), &test.view(), &config).scores;
        for score in &together {
            let alone = run(&train.view(), &test.view(), &KnnConfig::one(score.k, score.temperature));
            assert_eq!(alone.first(), score);
        }
        assert_eq!(together[0], together[4]);
    }

    #[test]
    fn a_known_vote() {
        // Class 1 is nearest, but three images of class 0 outvote it at a high temperature and not at a low one.
        let train = Features {
            rows: &[1.0, 0.0, 0.8, 0.6, 0.8, 0.6, 0.8, -0.6, -1.0, 0.0],
            width: 2,
            labels: &[1, 0, 0, 0, 2],
            classes: 3,
        };
        let test = Features {
            rows: &[3.0, 0.0],
            width: 2,
            labels: &[1],
            classes: 3,
        };
        let config = KnnConfig {
            ks: vec![4],
            temperatures: vec![1.0, 0.05, 1e-6, f64::INFINITY],
            metric: Metric::Cosine,
        };
        let predictions: Vec<usize> = run(&train, &test, &config)
            .scores
            .iter()
            .map(|score| score.predictions[0])
            .collect();
        assert_eq!(predictions, [0, 1, 1, 0]);
    }

    #[test]
    fn ties_go_to_the_earlier_image_and_the_lower_class() {
        let rows = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0];
        let test = Features {
            rows: &[1.0, 0.0],
            width: 2,
            labels: &[1],
            classes: 3,
        };
        let train = Features {
            rows: &rows,
            width: 2,
            labels: &[2, 1, 0],
            classes: 3,
        };
        for metric in [Metric::Cosine, Metric::Euclidean] {
            let config = KnnConfig {
                ks: vec![1, 2],
                temperatures: vec![0.07],
                metric,
            };
            let result = run(&train, &test, &config);
            assert_eq!(
                (result.scores[0].predictions[0], result.scores[1].predictions[0]),
                (2, 1)
            );
        }
    }

    /// Equal rows far apart, in different tiles and at different places of them, are exactly as near.
    #[test]
    fn equal_rows_in_different_tiles_tie() {
        let width = 37;
        let mut train = Table::of(3000, width, 10, 0.0);
        let copy: Vec<f32> = train.rows[17 * width..18 * width].to_vec();
        for row in [1040, 2047, 2999] {
            train.rows[row * width..(row + 1) * width].copy_from_slice(&copy);
        }
        train.labels[17] = 9;
        train.labels[1040] = 3;
        train.labels[2047] = 3;
        train.labels[2999] = 1;
        let test = Features {
            rows: &copy,
            width,
            labels: &[9],
            classes: 10,
        };
        for metric in [Metric::Cosine, Metric::Euclidean] {
            let config = KnnConfig {
                ks: vec![1, 3, 4],
                temperatures: vec![f64::INFINITY],
                metric,
            };
            let result = run(&train.view(), &test, &config);
            let predictions: Vec<usize> = result.scores.iter().map(|score| score.predictions[0]).collect();
            assert_eq!(predictions, [9, 3, 3]);
        }
    }

    /// Features that are equal, nearly equal, zero, tiny and huge: the bound of rounding holds, and ties are still in order.
    #[test]
    fn extreme_features_are_compared_exactly() {
        let (images, width) = (1100, 19);
        let wave = |k: usize| (k as f64 * 0.37).sin();
        type Value<'a> = &'a dyn Fn(usize, usize) -> f64;
        let values: [Value; 6] = [
            &|_, j| 1.0 + j as f64,
            &|i, j| 1.0 + 1e-7 * wave(i * width + j),
            &|i, j| if i % 3 == 0 { 0.0 } else { wave(i * width + j) },
            &|i, j| 1e-30 * wave(i * width + j),
            &|i, j| 1e30 * wave(i * width + j),
            &|i, j| 1e4 + wave(i * width + j),
        ];
        for (case, value) in values.iter().enumerate() {
            let rows: Vec<f32> = (0..images * width)
                .map(|k| value(k / width, k % width) as f32)
                .collect();
            let labels: Vec<usize> = (0..images).collect();
            let all = Features {
                rows: &rows,
                width,
                labels: &labels,
                classes: images,
            };
            let test = Features {
                rows: &rows[..40 * width],
                labels: &labels[..40],
                ..all
            };
            for metric in [Metric::Cosine, Metric::Euclidean] {
                let found = nearest(&all, test.rows, 0, metric, 3, |_| Ok(())).unwrap();
                for (query, found) in found.iter().enumerate() {
                    let size = |row: &[f32]| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt().max(1e-12);
                    let mut expected: Vec<f64> = (0..images)
                        .map(|other| {
                            let (a, b) = (test.row(query), all.row(other));
                            let pairs = a.iter().zip(b).map(|(&a, &b)| (f64::from(a), f64::from(b)));
                            match metric {
                                Metric::Cosine => pairs.map(|(a, b)| a * b).sum::<f64>() / (size(a) * size(b)),
                                Metric::Euclidean => -0.5 * pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>(),
                            }
                        })
                        .collect();
                    expected.sort_by(|a, b| b.total_cmp(a));
                    for (found, expected) in found.iter().zip(&expected) {
                        let error = (found.similarity - expected).abs();
                        assert!(
                            error <= 1e-14 * expected.abs().max(f64::from(metric == Metric::Cosine)),
                            "case {case}, {metric:?}, query {query}: {} not {expected}",
                            found.similarity
                        );
                    }
                    if case == 0 {
                        let order: Vec<usize> = found.iter().map(|found| found.index).collect();
                        assert_eq!(order, [0, 1, 2]);
                    }
                }
            }
        }
    }

    #[test]
    fn features_that_are_not_finite_are_refused() {
        let good = Features {
            rows: &[1.0, 0.0, 0.0, 0.0],
            width: 2,
            labels: &[1, 1],
            classes: 2,
        };
        for metric in [Metric::Cosine, Metric::Euclidean] {
            let config = KnnConfig {
                metric,
                ..KnnConfig::default()
            };
            let refused =
                |train: Features, test: Features| knn(&train, &test, &config, &mut unattended).unwrap_err().to_string();
            let bad = Features {
                rows: &[1.0, 0.0, 0.5, f32::NAN],
                ..good
            };
            assert_eq!(
                refused(bad, good),
                "training row 1 is not finite (feature 1 is NaN): the network has diverged, or the features are damaged"
            );
            let bad = Features {
                rows: &[1.0, 0.0, f32::NEG_INFINITY, 1.0],
                ..good
            };
            assert_eq!(
                refused(good, bad),
                "test row 1 is not finite (feature 0 is -inf): the network has diverged, or the features are damaged"
            );
        }
    }

    #[test]
    fn settings_outside_their_range_are_refused() {
        let set = Features {
            rows: &[1.0],
            width: 1,
            labels: &[0],
            classes: 1,
        };
        for config in [
            KnnConfig::one(0, 0.07),
            KnnConfig::one(1, 0.0),
            KnnConfig::one(1, f64::NAN),
            KnnConfig {
                ks: Vec::new(),
                ..KnnConfig::default()
            },
        ] {
            let error = knn(&set, &set, &config, &mut unattended).unwrap_err();
            assert!(matches!(error, EvalError::Setting(_)), "{error}");
        }
        assert_eq!(run(&set, &set, &KnnConfig::one(1, 0.07)).first().top1, 1.0);
    }

    #[test]
    fn a_class_without_training_images_is_never_predicted() {
        let train = Features {
            rows: &[1.0, 0.0, 0.0, 1.0],
            width: 2,
            labels: &[2, 2],
            classes: 7,
        };
        let test = Features {
            labels: &[0, 2],
            ..train
        };
        let score = &run(&train, &test, &KnnConfig::default()).scores[0];
        assert_eq!((score.top1, score.top5, score.voters), (0.5, Some(0.5), 2));
        assert_eq!(score.predictions, [2, 2]);
    }

    /// A source that is not in memory as a slice, and that refuses to be read whole.
    struct Streamed<'a>(Features<'a>, usize);

    impl Rows for Streamed<'_> {
        fn width(&self) -> usize {
            self.0.width
        }

        fn classes(&self) -> usize {
            self.0.classes
        }

        fn labels(&self) -> &[usize] {
            self.0.labels
        }

        fn read<'a>(&'a self, range: Range<usize>, scratch: &'a mut Vec<f32>) -> io::Result<&'a [f32]> {
            if range.len() > self.1 {
                return Err(io::Error::other("too much at once"));
            }
            scratch.clear();
            scratch.extend_from_slice(&self.0.rows[range.start * self.0.width..range.end * self.0.width]);
            Ok(scratch)
        }
    }

    #[test]
    fn streamed_rows_give_the_same_result_and_can_be_stopped() {
        let (train, test) = (Table::of(2100, 30, 3, 0.0), Table::of(20, 30, 3, 1.0));
        let streamed = Streamed(train.view(), 512);
        let config = KnnConfig::default();
        assert_eq!(
            run(&streamed, &test.view(), &config),
            run(&train.view(), &test.view(), &config)
        );
        let mut calls = 0;
        let error = knn(&streamed, &test.view(), &config, &mut |progress| {
            calls += 1;
            assert_eq!(progress.total, 42_000);
            if progress.done > 20 * 512 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert!(matches!(error, Err(EvalError::Stopped)), "{error:?}");
        assert_eq!(calls, 2);
        let error = knn(&Streamed(train.view(), 1), &test.view(), &config, &mut unattended).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read training rows 0 to 512: too much at once"
        );
    }

    #[test]
    fn the_result_does_not_depend_on_the_number_of_threads() {
        let (train, test) = (Table::of(2301, 40, 9, 0.0), Table::of(133, 40, 9, 1.0));
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| run(&train.view(), &test.view(), &KnnConfig::default()))
        };
        assert_eq!(with_threads(1), with_threads(2));
        assert_eq!(with_threads(1), with_threads(5));
    }
}
