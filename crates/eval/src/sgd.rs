//! Linear classifiers that are trained by SGD on features as they come, several side by side: one pass over the images tries all
//! rates and decays. The update is that of torch's `SGD` with momentum on the mean cross-entropy. Before them there may be a batch norm
//! with a scale and a shift of each classifier.

use crate::product::{Matrix, multiply};
use crate::rank::rank;
use crate::sgd_norm::{SgdNorm, SgdNormState};
use rayon::prelude::*;

/// Rows of a block of the forward product, and outputs of a block of the gradient: constant, so that no sum depends on the number
/// of threads.
const BLOCK: usize = 64;

/// Settings of one of the classifiers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdHead {
    /// Learning rate at the peak (> 0).
    pub rate: f64,
    /// Weight decay of weights and biases (≥ 0).
    pub weight_decay: f64,
}

/// Classifiers `[classes, width]` on the same features.
#[derive(Clone, Debug, PartialEq)]
pub struct SgdHeads {
    heads: Vec<SgdHead>,
    width: usize,
    classes: usize,
    momentum: f32,
    nesterov: bool,
    /// `[heads, classes, width]`.
    weight: Vec<f32>,
    /// `[heads, classes]`.
    bias: Vec<f32>,
    weight_momentum: Vec<f32>,
    bias_momentum: Vec<f32>,
    norm: Option<SgdNorm>,
}

/// The values of [`SgdHeads`] that change, for a file.
#[derive(Clone, Debug, PartialEq)]
pub struct SgdState {
    /// `[heads, classes, width]`.
    pub weight: Vec<f32>,
    /// `[heads, classes]`.
    pub bias: Vec<f32>,
    /// As `weight`.
    pub weight_momentum: Vec<f32>,
    /// As `bias`.
    pub bias_momentum: Vec<f32>,
    /// Of the batch norm, if there is one.
    pub norm: Option<SgdNormState>,
}

/// How many images of some classifier were classified correctly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SgdCorrect {
    /// Images.
    pub images: usize,
    /// Whose class has the highest score.
    pub top1: usize,
    /// Whose class is among the five highest scores.
    pub top5: usize,
}

impl SgdHeads {
    /// Classifiers that all start from the weights `initial` `[classes, width]` and from biases of zero.
    ///
    /// # Panics
    /// If there is no classifier, or `initial` has another number of values.
    pub fn new(heads: Vec<SgdHead>, width: usize, classes: usize, momentum: f64, initial: &[f32]) -> Self {
        assert!(!heads.is_empty(), "no classifier to train");
        assert_eq!(
            initial.len(),
            classes * width,
            "initial weights of [{classes}, {width}]"
        );
        let count = heads.len();
        Self {
            width,
            classes,
            momentum: momentum as f32,
            nesterov: false,
            norm: None,
            weight: initial.repeat(count),
            bias: vec![0.0; count * classes],
            weight_momentum: vec![0.0; count * classes * width],
            bias_momentum: vec![0.0; count * classes],
            heads,
        }
    }

    /// The settings of the classifiers, in their order.
    pub fn heads(&self) -> &[SgdHead] {
        &self.heads
    }

    /// With Nesterov's momentum, as torch computes it.
    #[must_use]
    pub fn with_nesterov(self) -> Self {
        Self { nesterov: true, ..self }
    }

    /// With a batch norm before the classifiers, over the `channels` of rows `[channels, width / channels]`; its scales and shifts have
    /// no weight decay.
    ///
    /// # Panics
    /// If the width is not a multiple of `channels`.
    #[must_use]
    pub fn with_norm(self, channels: usize) -> Self {
        assert!(
            channels > 0 && self.width.is_multiple_of(channels),
            "{channels} channels of rows of {} values",
            self.width
        );
        let norm = SgdNorm::new(channels, self.width / channels, self.heads.len());
        Self {
            norm: Some(norm),
            ..self
        }
    }

    /// With biases `[classes]` that are not zero.
    ///
    /// # Panics
    /// If there is another number of them.
    #[must_use]
    pub fn with_biases(self, initial: &[f32]) -> Self {
        assert_eq!(
            initial.len(),
            self.classes,
            "initial biases of {} classes",
            self.classes
        );
        Self {
            bias: initial.repeat(self.heads.len()),
            ..self
        }
    }

    /// One step on the mean cross-entropy of `rows` `[n, width]`; every rate is multiplied by `factor`. Returns the loss of each
    /// classifier before the step.
    ///
    /// # Panics
    /// If there is no row, not one label per row, or a label is not a class.
    pub fn step(&mut self, rows: &[f32], labels: &[usize], factor: f64) -> Vec<f64> {
        let (n, width, classes) = (labels.len(), self.width, self.classes);
        assert!(
            n > 0 && rows.len() == n * width,
            "{} values of {n} rows of width {width}",
            rows.len()
        );
        assert!(
            labels.iter().all(|&label| label < classes),
            "a label is not below {classes}"
        );
        let standardised;
        let (rows, mut scores) = match &mut self.norm {
            None => (rows, scores(&self.weight, &self.bias, rows, width)),
            Some(norm) => {
                standardised = norm.standardise_batch(rows);
                let (weight, bias) = norm.fold(&self.weight, &self.bias, classes);
                (&standardised[..], scores(&weight, &bias, &standardised, width))
            }
        };
        // Scores become the gradient of the loss with respect to them, classifier by classifier.
        let losses = scores
            .par_chunks_mut(classes * n)
            .map(|scores| softmax_errors(scores, labels))
            .collect();
        let errors = scores;
        let Self {
            heads,
            momentum,
            nesterov,
            weight,
            bias,
            weight_momentum,
            bias_momentum,
            norm,
            ..
        } = self;
        let momentum = *momentum;
        // Moves a value by its gradient, as torch does.
        let nesterov = *nesterov;
        let update = |value: &mut f32, buffer: &mut f32, gradient: f32, rate: f32| {
            *buffer = momentum * *buffer + gradient;
            *value -= rate
                * if nesterov {
                    gradient + momentum * *buffer
                } else {
                    *buffer
                };
        };
        let sums: Vec<f32> = errors.chunks_exact(n).map(|errors| errors.iter().sum()).collect();
        // One output at a time would read the rows once for each: blocks of outputs share a product.
        let mut gradients: Vec<Vec<f32>> = errors
            .par_chunks(BLOCK * n)
            .map(|errors| {
                let outputs = errors.len() / n;
                let mut gradient = vec![0.0; outputs * width];
                multiply(
                    [outputs, width, n],
                    &mut gradient,
                    Matrix::rows(errors, n),
                    Matrix::rows(rows, width),
                );
                gradient
            })
            .collect();
        if let Some(norm) = norm {
            let of_norm: Vec<(Vec<f64>, Vec<f64>)> = (0..heads.len())
                .into_par_iter()
                .map(|head| {
                    let of_output = |output: usize| {
                        let folded = &gradients[output / BLOCK][output % BLOCK * width..][..width];
                        (&weight[output * width..][..width], folded, sums[output])
                    };
                    norm.gradients((head * classes..(head + 1) * classes).map(of_output))
                })
                .collect();
            let blocks = gradients.par_iter_mut().enumerate();
            blocks.for_each(|(block, gradients)| {
                for (at, gradient) in gradients.chunks_exact_mut(width).enumerate() {
                    let output = block * BLOCK + at;
                    norm.unfold(output / classes, gradient, sums[output]);
                }
            });
            let channels = norm.state.running_mean.len();
            let SgdNormState {
                scale,
                shift,
                scale_momentum,
                shift_momentum,
                ..
            } = &mut norm.state;
            for (head, (scales, shifts)) in of_norm.into_iter().enumerate() {
                let rate = (heads[head].rate * factor) as f32;
                for channel in 0..channels {
                    let at = head * channels + channel;
                    update(&mut scale[at], &mut scale_momentum[at], scales[channel] as f32, rate);
                    update(&mut shift[at], &mut shift_momentum[at], shifts[channel] as f32, rate);
                }
            }
        }
        let outputs = weight.par_chunks_mut(width).zip(weight_momentum.par_chunks_mut(width));
        let biases = bias.par_iter_mut().zip(bias_momentum.par_iter_mut());
        outputs
            .zip(biases)
            .enumerate()
            .for_each(|(output, ((weight, buffer), (bias, bias_buffer)))| {
                let head = &heads[output / classes];
                let (rate, decay) = ((head.rate * factor) as f32, head.weight_decay as f32);
                let gradient = &gradients[output / BLOCK][output % BLOCK * width..][..width];
                for ((weight, buffer), gradient) in weight.iter_mut().zip(buffer).zip(gradient) {
                    update(weight, buffer, gradient + decay * *weight, rate);
                }
                update(bias, bias_buffer, sums[output] + decay * *bias, rate);
            });
        losses
    }

    /// Counts the correct classifications of `rows` `[n, width]` by each classifier; in a tie the lower class ranks first.
    ///
    /// # Panics
    /// As [`SgdHeads::step`], but no row is fine.
    pub fn correct(&self, rows: &[f32], labels: &[usize]) -> Vec<SgdCorrect> {
        let (n, classes) = (labels.len(), self.classes);
        if n == 0 {
            return vec![SgdCorrect::default(); self.heads.len()];
        }
        assert_eq!(rows.len(), n * self.width, "rows of {n} images");
        let scores = match &self.norm {
            None => scores(&self.weight, &self.bias, rows, self.width),
            Some(norm) => {
                let (weight, bias) = norm.fold(&self.weight, &self.bias, classes);
                scores(&weight, &bias, &norm.standardise_running(rows), self.width)
            }
        };
        let of_head = |scores: &[f32]| {
            let mut correct = SgdCorrect {
                images: n,
                ..SgdCorrect::default()
            };
            for (image, &label) in labels.iter().enumerate() {
                let rank = rank(classes, label, |class| scores[class * n + image]);
                correct.top1 += usize::from(rank == 0);
                correct.top5 += usize::from(rank < 5);
            }
            correct
        };
        scores.par_chunks(classes * n).map(of_head).collect()
    }

    /// The weights `[classes, width]` and biases of a classifier.
    ///
    /// # Panics
    /// If there is none of this number.
    pub fn classifier(&self, head: usize) -> (&[f32], &[f32]) {
        let (values, classes) = (self.classes * self.width, self.classes);
        (
            &self.weight[head * values..(head + 1) * values],
            &self.bias[head * classes..(head + 1) * classes],
        )
    }

    /// What a resumed training must be given.
    pub fn state(&self) -> SgdState {
        SgdState {
            weight: self.weight.clone(),
            bias: self.bias.clone(),
            weight_momentum: self.weight_momentum.clone(),
            bias_momentum: self.bias_momentum.clone(),
            norm: self.norm.as_ref().map(|norm| norm.state.clone()),
        }
    }

    /// Takes over what [`SgdHeads::state`] gave; `false`, and nothing is changed, if it is of other shapes.
    #[must_use]
    pub fn restore(&mut self, state: SgdState) -> bool {
        let fits = [&state.weight, &state.weight_momentum]
            .iter()
            .all(|values| values.len() == self.weight.len())
            && [&state.bias, &state.bias_momentum]
                .iter()
                .all(|values| values.len() == self.bias.len())
            && match (&self.norm, &state.norm) {
                (None, None) => true,
                (Some(norm), Some(state)) => norm.fits(state),
                _ => false,
            };
        if fits {
            if let (Some(norm), Some(state)) = (&mut self.norm, state.norm) {
                norm.state = state;
            }
            self.weight = state.weight;
            self.bias = state.bias;
            self.weight_momentum = state.weight_momentum;
            self.bias_momentum = state.bias_momentum;
        }
        fits
    }
}

/// Scores `[outputs, rows]` of `rows` `[n, width]`: a column per image.
fn scores(weight: &[f32], bias: &[f32], rows: &[f32], width: usize) -> Vec<f32> {
    let n = rows.len() / width;
    let mut scores = vec![0.0f32; bias.len() * n];
    let blocks = scores.par_chunks_mut(BLOCK * n).zip(weight.par_chunks(BLOCK * width));
    blocks.zip(bias.par_chunks(BLOCK)).for_each(|((scores, weight), bias)| {
        multiply(
            [bias.len(), n, width],
            scores,
            Matrix::rows(weight, width),
            Matrix::columns(rows, width),
        );
        for (scores, bias) in scores.chunks_exact_mut(n).zip(bias) {
            scores.iter_mut().for_each(|score| *score += bias);
        }
    });
    scores
}

/// Turns the scores `[classes, n]` of one classifier into (softmax − one-hot) / n; returns the mean cross-entropy.
fn softmax_errors(scores: &mut [f32], labels: &[usize]) -> f64 {
    let n = labels.len();
    let classes = scores.len() / n;
    let mut loss = 0.0;
    for (image, &label) in labels.iter().enumerate() {
        let at = |class: usize| class * n + image;
        let highest = (0..classes)
            .map(|class| scores[at(class)])
            .fold(f32::NEG_INFINITY, f32::max);
        let own = scores[at(label)];
        let mut sum = 0.0f64;
        for class in 0..classes {
            let value = (scores[at(class)] - highest).exp();
            scores[at(class)] = value;
            sum += f64::from(value);
        }
        loss += sum.ln() + f64::from(highest) - f64::from(own);
        let scale = (1.0 / sum) as f32;
        for class in 0..classes {
            let one = f32::from(u8::from(class == label));
            scores[at(class)] = (scores[at(class)] * scale - one) / n as f32;
        }
    }
    loss / n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three classes a step apart in 7 dimensions, with noise by a formula.
    fn batch(step: usize, n: usize) -> (Vec<f32>, Vec<usize>) {
        let labels: Vec<usize> = (0..n).map(|i| (i * 5 + step) % 3).collect();
        let rows = labels.iter().enumerate().flat_map(|(i, &label)| {
            (0..7)
                .map(move |k| ((step * 131 + i * 17 + k * 29) as f32 * 0.37).sin() + if k == label { 1.5 } else { 0.0 })
        });
        (rows.collect(), labels)
    }

    fn initial() -> Vec<f32> {
        (0..21).map(|k| (k as f32 * 0.7).cos() * 0.01).collect()
    }

    const HEADS: [SgdHead; 2] = [
        SgdHead {
            rate: 0.3,
            weight_decay: 1e-6,
        },
        SgdHead {
            rate: 0.05,
            weight_decay: 0.01,
        },
    ];

    fn train(heads: &mut SgdHeads, from: usize, to: usize) -> Vec<f64> {
        let mut losses = Vec::new();
        for step in from..to {
            let (rows, labels) = batch(step, 20);
            losses = heads.step(&rows, &labels, 1.0 - step as f64 / 20.0);
        }
        losses
    }

    /// torch.optim.SGD on torch.nn.functional.cross_entropy in f64, the same 20 steps; see `goldens/sgd.py`.
    #[test]
    fn twenty_steps_are_those_of_torch() {
        let mut heads = SgdHeads::new(HEADS.to_vec(), 7, 3, 0.9, &initial());
        let losses = train(&mut heads, 0, 20);
        let expected: [(f64, [f64; 4]); 2] = GOLDEN;
        for (head, (loss, values)) in expected.into_iter().enumerate() {
            assert!(
                (losses[head] - loss).abs() < 1e-5,
                "head {head}: loss {}, not {loss}",
                losses[head]
            );
            let (weight, bias) = heads.classifier(head);
            for (found, expected) in [weight[0], weight[8], weight[20], bias[1]].into_iter().zip(values) {
                assert!(
                    (f64::from(found) - expected).abs() < 1e-5,
                    "head {head}: {found}, not {expected}"
                );
            }
        }
        let (rows, labels) = batch(100, 300);
        let correct = heads.correct(&rows, &labels);
        assert!(
            correct.iter().all(|correct| correct.top1 > 200 && correct.top5 == 300),
            "{correct:?}"
        );
    }

    const GOLDEN: [(f64, [f64; 4]); 2] = [
        (0.048073244, [1.807780787, 1.946269041, -0.641349971, 0.016215844]),
        (0.484300531, [0.618189161, 0.634902693, -0.072507856, -0.002249502]),
    ];

    /// torch's BatchNorm1d and Linear, SGD with Nesterov's momentum and no decay of the norm, 20 steps in f64; see `goldens/sgd.py`.
    #[test]
    fn a_trained_batch_norm_is_that_of_torch() {
        // Rows of 7 as 7 channels, and of 6 as 3 channels with two positions each.
        for (channels, positions, golden) in [(7, 1, NORM_GOLDEN[0]), (3, 2, NORM_GOLDEN[1])] {
            let width = channels * positions;
            let cut =
                |rows: &[f32]| -> Vec<f32> { rows.chunks_exact(7).flat_map(|row| &row[..width]).copied().collect() };
            let head = SgdHead {
                rate: 0.1,
                weight_decay: 5e-4,
            };
            let initial: Vec<f32> = initial()[..3 * width].to_vec();
            let heads = SgdHeads::new(vec![head, HEADS[1]], width, 3, 0.9, &initial).with_biases(&[0.01, -0.02, 0.03]);
            let mut heads = heads.with_nesterov().with_norm(channels);
            let mut losses = Vec::new();
            for step in 0..20 {
                let (rows, labels) = batch(step, 20);
                losses = heads.step(&cut(&rows), &labels, 1.0 - step as f64 / 20.0);
            }
            let state = heads.state();
            let norm = state.norm.clone().unwrap();
            let found = [
                losses[0],
                f64::from(state.weight[0]),
                f64::from(state.weight[3 * width - 1]),
                f64::from(state.bias[1]),
                f64::from(norm.scale[1]),
                f64::from(norm.shift[2]),
                f64::from(norm.running_mean[1]),
                f64::from(norm.running_variance[1]),
            ];
            for (at, (found, expected)) in found.into_iter().zip(golden).enumerate() {
                assert!((found - expected).abs() < 2e-5, "value {at}: {found}, not {expected}");
            }
            // The running statistics classify, and a restored training has them.
            let (rows, labels) = batch(100, 300);
            let correct = heads.correct(&cut(&rows), &labels);
            assert!(correct[0].top1 > 180, "{correct:?}");
            let mut other = SgdHeads::new(vec![head, HEADS[1]], width, 3, 0.9, &initial);
            assert!(!other.restore(state.clone()), "without a norm");
            other = other.with_nesterov().with_norm(channels);
            assert!(other.restore(state));
            assert!(other == heads);
        }
    }

    const NORM_GOLDEN: [[f64; 8]; 2] = [
        [
            0.009098074,
            1.213374399,
            -0.022128236,
            -0.004478752,
            1.419117931,
            -0.004566052,
            0.477157694,
            0.582983725,
        ],
        [
            0.130837969,
            1.020398636,
            -0.210037704,
            0.057655095,
            1.455324791,
            -0.000706646,
            0.210093543,
            0.706200739,
        ],
    ];

    #[test]
    fn a_classifier_does_not_depend_on_those_beside_it() {
        let mut both = SgdHeads::new(HEADS.to_vec(), 7, 3, 0.9, &initial());
        train(&mut both, 0, 8);
        for (index, &head) in HEADS.iter().enumerate() {
            let mut alone = SgdHeads::new(vec![head], 7, 3, 0.9, &initial());
            train(&mut alone, 0, 8);
            let ((a, _), (b, _)) = (both.classifier(index), alone.classifier(0));
            let distance = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(distance < 1e-6, "{distance}");
        }
    }

    #[test]
    fn a_restored_training_goes_on_bit_for_bit_on_any_number_of_threads() {
        let mut whole = SgdHeads::new(HEADS.to_vec(), 7, 3, 0.9, &initial());
        train(&mut whole, 0, 6);
        let mut first = SgdHeads::new(HEADS.to_vec(), 7, 3, 0.9, &initial());
        train(&mut first, 0, 3);
        let mut second = SgdHeads::new(HEADS.to_vec(), 7, 3, 0.9, &initial());
        assert!(second.restore(first.state()));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(5).build().unwrap();
        pool.install(|| train(&mut second, 3, 6));
        assert!(whole == second);
        let mut other = SgdHeads::new(HEADS[..1].to_vec(), 7, 3, 0.9, &initial());
        assert!(!other.restore(first.state()), "of two classifiers");
    }
}
