//! `summary.json`: the result of a run, with the field names of the program's contract.

use crate::evaluation::LinearProtocol;
use crate::metrics::Readings;
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
    /// How the linear probe was trained; absent without one and in summaries of earlier versions, whose probe is exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear_protocol: Option<LinearProtocol>,
    /// Source of the initial weights; absent if they were initialised at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The same kNN on the features of the network before its first step.
    pub untrained_knn_top1: Option<f64>,
    /// The same probe on the features of the network before its first step.
    pub untrained_linear_top1: Option<f64>,
    /// Mean loss of the last epoch.
    pub loss: f64,
    /// The least value that the loss can take for this N, D and settings.
    pub loss_floor: Option<f64>,
    /// Means of the loss and of the method's readings over the last epoch; absent in summaries of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readings: Option<Readings>,
    /// The method; absent in summaries of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Optimiser steps.
    pub steps: u64,
    /// Passes over the images.
    pub epochs: u64,
    /// Training speed in images/s, without evaluation.
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

impl Summary {
    /// The word for the network before its first step.
    pub fn start(&self) -> &'static str {
        start_of(self.from.as_deref())
    }
}

/// The word for a network before its first step, by the source of its weights.
pub fn start_of(from: Option<&str>) -> &'static str {
    if from.is_some() { "at the start" } else { "untrained" }
}
