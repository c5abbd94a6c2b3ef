//! `summary.json`: the result of a run, in the names that the program's contract gives.

use serde::{Deserialize, Serialize};

/// The result of a run. Fractions are of 1; a field is null where it is not defined or there are no labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// kNN accuracy on the test images.
    pub knn_top1: Option<f64>,
    /// Accuracy of the linear probe.
    pub linear_top1: Option<f64>,
    /// Top-5 accuracy of the linear probe; null with five classes or fewer.
    pub linear_top5: Option<f64>,
    /// Where the weights are from that the run began with; absent where they were drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The same kNN on the features of the network before its first step.
    pub untrained_knn_top1: Option<f64>,
    /// The same probe on the features of the network before its first step.
    pub untrained_linear_top1: Option<f64>,
    /// Mean loss of the last epoch.
    pub loss: f64,
    /// The least value that the loss can take for this N, D and lambda.
    pub loss_floor: Option<f64>,
    /// Optimiser steps.
    pub steps: u64,
    /// Passes over the images.
    pub epochs: u64,
    /// Training images a second, evaluation left out.
    pub images_per_second: f64,
    /// From start to end, in all sessions of the run.
    pub wall_seconds: f64,
    /// `cpu`, `wgpu` or `cuda`.
    pub backend: String,
    /// The device's own name.
    pub device: String,
    /// Seed of the run.
    pub seed: u64,
    /// Version of the program.
    pub version: String,
}

/// Accuracy of the features before the first step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UntrainedAccuracy {
    /// kNN accuracy.
    pub knn_top1: Option<f64>,
    /// Accuracy of the linear probe.
    pub linear_top1: Option<f64>,
}

/// The loss and its parts of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossValues {
    /// What is minimised.
    pub loss: f64,
    /// Σ (1 − c_ii)².
    pub invariance: f64,
    /// Σ_{i≠j} c_ij².
    pub redundancy_reduction: f64,
    /// Mean of c_ii.
    pub diagonal_mean: f64,
    /// Root mean square of c_ij, i ≠ j.
    pub off_diagonal_rms: f64,
}

impl Summary {
    /// What to call the network before its first step.
    pub fn start(&self) -> &'static str {
        start_of(self.from.as_deref())
    }
}

/// What to call a network before its first step, whose weights are from there.
pub fn start_of(from: Option<&str>) -> &'static str {
    if from.is_some() { "at the start" } else { "untrained" }
}

impl LossValues {
    /// Whether every value is finite.
    pub fn is_finite(&self) -> bool {
        self.fields().into_iter().all(f64::is_finite)
    }

    /// From the five values in the order of the fields.
    ///
    /// # Panics
    /// If there are not five.
    pub fn from_slice(values: &[f32]) -> Self {
        let fields: [f32; 5] = values
            .try_into()
            .unwrap_or_else(|_| panic!("five values, not {}", values.len()));
        Self::from_fields(fields.map(f64::from))
    }

    fn fields(&self) -> [f64; 5] {
        [
            self.loss,
            self.invariance,
            self.redundancy_reduction,
            self.diagonal_mean,
            self.off_diagonal_rms,
        ]
    }

    fn from_fields(fields: [f64; 5]) -> Self {
        let [loss, invariance, redundancy_reduction, diagonal_mean, off_diagonal_rms] = fields;
        Self {
            loss,
            invariance,
            redundancy_reduction,
            diagonal_mean,
            off_diagonal_rms,
        }
    }
}

/// Sums of the loss values of an epoch; kept in checkpoints, so that a resumed epoch has the same mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossMeans {
    sums: [f64; 5],
    count: u64,
}

impl LossMeans {
    /// Adds one step.
    pub fn add(&mut self, values: &LossValues) {
        for (sum, value) in self.sums.iter_mut().zip(values.fields()) {
            *sum += value;
        }
        self.count += 1;
    }

    /// The mean of what was added; none where nothing was.
    pub fn mean(&self) -> Option<LossValues> {
        (self.count > 0).then(|| LossValues::from_fields(self.sums.map(|sum| sum / self.count as f64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_survives_being_stored() {
        let mut means = LossMeans::default();
        assert_eq!(means.mean(), None);
        means.add(&LossValues {
            loss: 1.0 / 3.0,
            invariance: 2.0,
            ..Default::default()
        });
        let mut stored: LossMeans = serde_json::from_str(&serde_json::to_string(&means).unwrap()).unwrap();
        means.add(&LossValues {
            loss: 0.1,
            invariance: 4.0,
            ..Default::default()
        });
        stored.add(&LossValues {
            loss: 0.1,
            invariance: 4.0,
            ..Default::default()
        });
        assert_eq!(means, stored, "bit for bit");
        assert_eq!(means.mean().unwrap().invariance, 3.0);
        assert!(
            !LossValues {
                invariance: f64::NAN,
                ..Default::default()
            }
            .is_finite()
        );
    }
}
