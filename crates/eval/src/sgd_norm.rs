//! The trained batch norm between frozen features and linear classifiers: VISSL's head for Places and iNaturalist.
//!
//! Features are frozen, so standardised rows are the same for all classifiers, and each one's scale and shift can be folded into its
//! weights: a classifier with the norm costs no product more.

use rayon::prelude::*;

/// torch's default.
const EPSILON: f64 = 1e-5;
/// Share of a batch's statistics in the running ones, torch's default.
const MOMENTUM: f64 = 0.1;

/// The values of a batch norm that change, for a file.
#[derive(Clone, Debug, PartialEq)]
pub struct SgdNormState {
    /// `[channels]`.
    pub running_mean: Vec<f32>,
    /// `[channels]`, unbiased.
    pub running_variance: Vec<f32>,
    /// `[heads, channels]`.
    pub scale: Vec<f32>,
    /// `[heads, channels]`.
    pub shift: Vec<f32>,
    /// As `scale`.
    pub scale_momentum: Vec<f32>,
    /// As `shift`.
    pub shift_momentum: Vec<f32>,
}

/// A batch norm over the channels of rows `[channels, positions]`, with a scale and a shift per classifier.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SgdNorm {
    channels: usize,
    /// Values of a channel in a row, side by side.
    positions: usize,
    pub(crate) state: SgdNormState,
}

impl SgdNorm {
    pub(crate) fn new(channels: usize, positions: usize, heads: usize) -> Self {
        Self {
            channels,
            positions,
            state: SgdNormState {
                running_mean: vec![0.0; channels],
                running_variance: vec![1.0; channels],
                scale: vec![1.0; heads * channels],
                shift: vec![0.0; heads * channels],
                scale_momentum: vec![0.0; heads * channels],
                shift_momentum: vec![0.0; heads * channels],
            },
        }
    }

    /// Whether another state has the same shapes.
    pub(crate) fn fits(&self, other: &SgdNormState) -> bool {
        let sizes = |state: &SgdNormState| {
            [
                state.running_mean.len(),
                state.running_variance.len(),
                state.scale.len(),
                state.shift.len(),
                state.scale_momentum.len(),
                state.shift_momentum.len(),
            ]
        };
        sizes(&self.state) == sizes(other)
    }

    /// Standardises rows by their own statistics, and updates the running ones.
    pub(crate) fn standardise_batch(&mut self, rows: &[f32]) -> Vec<f32> {
        let (channels, positions) = (self.channels, self.positions);
        let width = channels * positions;
        let count = (rows.len() / width * positions) as f64;
        // Channel by channel, each in the order of the rows: no sum depends on the number of threads.
        let statistics: Vec<(f64, f64)> = (0..channels)
            .into_par_iter()
            .map(|channel| {
                let values = || {
                    let own = rows.chunks_exact(width);
                    own.flat_map(move |row| &row[channel * positions..(channel + 1) * positions])
                };
                let mean = values().map(|&value| f64::from(value)).sum::<f64>() / count;
                let squares: f64 = values().map(|&value| (f64::from(value) - mean).powi(2)).sum();
                (mean, squares / count)
            })
            .collect();
        let unbiased = count / (count - 1.0).max(1.0);
        let SgdNormState {
            running_mean,
            running_variance,
            ..
        } = &mut self.state;
        for ((mean, variance), own) in running_mean.iter_mut().zip(running_variance).zip(&statistics) {
            *mean = ((1.0 - MOMENTUM) * f64::from(*mean) + MOMENTUM * own.0) as f32;
            *variance = ((1.0 - MOMENTUM) * f64::from(*variance) + MOMENTUM * own.1 * unbiased) as f32;
        }
        self.standardise(rows, &statistics)
    }

    /// Standardises rows by the running statistics.
    pub(crate) fn standardise_running(&self, rows: &[f32]) -> Vec<f32> {
        let SgdNormState {
            running_mean,
            running_variance,
            ..
        } = &self.state;
        let statistics = running_mean.iter().zip(running_variance);
        let statistics: Vec<(f64, f64)> = statistics.map(|(&m, &v)| (f64::from(m), f64::from(v))).collect();
        self.standardise(rows, &statistics)
    }

    fn standardise(&self, rows: &[f32], statistics: &[(f64, f64)]) -> Vec<f32> {
        let positions = self.positions;
        let factors: Vec<(f32, f32)> = statistics
            .iter()
            .map(|&(mean, variance)| (mean as f32, (1.0 / (variance + EPSILON).sqrt()) as f32))
            .collect();
        let mut out = rows.to_vec();
        out.par_chunks_exact_mut(self.channels * positions).for_each(|row| {
            for (values, &(mean, factor)) in row.chunks_exact_mut(positions).zip(&factors) {
                values.iter_mut().for_each(|value| *value = (*value - mean) * factor);
            }
        });
        out
    }

    /// Weights `[heads, classes, width]` and biases `[heads, classes]` that give for standardised rows the scores of the classifiers
    /// behind their scales and shifts.
    pub(crate) fn fold(&self, weight: &[f32], bias: &[f32], classes: usize) -> (Vec<f32>, Vec<f32>) {
        let (channels, positions) = (self.channels, self.positions);
        let (mut weight, mut bias) = (weight.to_vec(), bias.to_vec());
        let outputs = weight
            .par_chunks_exact_mut(channels * positions)
            .zip(bias.par_iter_mut());
        outputs.enumerate().for_each(|(output, (weight, bias))| {
            let (scale, shift) = self.of_head(output / classes);
            let mut sum = f64::from(*bias);
            for ((values, scale), shift) in weight.chunks_exact_mut(positions).zip(scale).zip(shift) {
                for value in values {
                    sum += f64::from(*value * shift);
                    *value *= scale;
                }
            }
            *bias = sum as f32;
        });
        (weight, bias)
    }

    /// The scales and shifts of a classifier.
    pub(crate) fn of_head(&self, head: usize) -> (&[f32], &[f32]) {
        let range = head * self.channels..(head + 1) * self.channels;
        (&self.state.scale[range.clone()], &self.state.shift[range])
    }

    /// Turns the gradient `[width]` of an output's folded weights into that of its own weights; `error` is the sum of its errors.
    pub(crate) fn unfold(&self, head: usize, gradient: &mut [f32], error: f32) {
        let (scale, shift) = self.of_head(head);
        for ((values, scale), shift) in gradient.chunks_exact_mut(self.positions).zip(scale).zip(shift) {
            values
                .iter_mut()
                .for_each(|value| *value = scale * *value + shift * error);
        }
    }

    /// Gradients `[channels]` of a classifier's scales and shifts: `weight` and `folded` are `[classes][width]`, the gradients of the
    /// folded weights, and `errors` the sums of the outputs' errors.
    pub(crate) fn gradients<'a>(
        &self,
        outputs: impl Iterator<Item = (&'a [f32], &'a [f32], f32)>,
    ) -> (Vec<f64>, Vec<f64>) {
        let (mut scale, mut shift) = (vec![0.0; self.channels], vec![0.0; self.channels]);
        for (weight, folded, error) in outputs {
            let pairs = weight
                .chunks_exact(self.positions)
                .zip(folded.chunks_exact(self.positions));
            for ((weight, folded), (scale, shift)) in pairs.zip(scale.iter_mut().zip(&mut shift)) {
                for (&weight, &folded) in weight.iter().zip(folded) {
                    *scale += f64::from(weight) * f64::from(folded);
                    *shift += f64::from(weight) * f64::from(error);
                }
            }
        }
        (scale, shift)
    }
}
