//! The lines of the metrics log.

use super::Readings;
use crate::evaluation::Accuracy;
use serde::Serialize;

/// A line of the metrics log.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Metric {
    /// Means over the steps since the previous line.
    Training(TrainingMetric),
    /// An evaluation between two steps.
    Evaluation(EvaluationMetric),
}

/// Means over the steps since the previous line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrainingMetric {
    /// Optimiser steps made.
    pub step: u64,
    /// The epoch that these steps belong to, from 1.
    pub epoch: u64,
    /// The loss and the readings of its method.
    #[serde(flatten)]
    pub readings: Readings,
    /// The least possible loss; null where it is not defined.
    pub loss_floor: Option<f64>,
    /// Rate of the weights at the last of these steps.
    pub lr_weights: f64,
    /// Rate of biases and norm parameters at the last of these steps.
    pub lr_biases: f64,
    /// Images/s.
    pub images_per_second: f64,
    /// Fraction of the time spent waiting for views, in [0, 1].
    pub data_wait: f64,
    /// Seconds that the remaining steps take at this speed, without evaluations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<f64>,
    /// Peak memory of the process in MiB, if the system reports it; without GPU memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_mib: Option<f64>,
    /// Accuracy of the online probe on the views of a batch before it learns from them, if there are labels. From the second
    /// epoch on it has seen other views of the same images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online_top1: Option<f64>,
}

/// An evaluation between two steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvaluationMetric {
    /// Optimiser steps made.
    pub step: u64,
    /// Epochs done.
    pub epoch: u64,
    /// kNN accuracy on the test images.
    pub knn_top1: f64,
    /// Accuracy of the linear probe, if it was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linear_top1: Option<f64>,
    /// Directions that the test images' features use (the participation ratio of their covariance).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_rank: Option<f64>,
    /// Mean standard deviation of a feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature_spread: Option<f64>,
    /// Features that do not vary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_features: Option<usize>,
    /// The same of the embeddings of at most 512 test images, so at most 511.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_rank: Option<f64>,
    /// The same of the test images' embeddings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_spread: Option<f64>,
    /// The same of the test images' embeddings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_embeddings: Option<usize>,
    /// The largest eigenvalues of the correlation matrix of the test images' embeddings, as fractions of their sum, in descending
    /// order ([`spectrum`](barlow_eval::spectrum)).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub embedding_spectrum: Vec<f64>,
}

impl EvaluationMetric {
    /// The line of an evaluation.
    pub fn of(step: u64, epoch: u64, accuracy: &Accuracy) -> Self {
        let Accuracy {
            knn_top1,
            knn: _,
            linear,
            collapse,
            embeddings,
            features: _,
        } = accuracy;
        let embedding = embeddings.as_ref().map(|(collapse, _)| collapse);
        Self {
            step,
            epoch,
            knn_top1: *knn_top1,
            linear_top1: linear.as_ref().map(|linear| linear.top1),
            effective_rank: Some(collapse.effective_rank),
            feature_spread: Some(collapse.spread),
            dead_features: Some(collapse.dead),
            embedding_rank: embedding.map(|collapse| collapse.effective_rank),
            embedding_spread: embedding.map(|collapse| collapse.spread),
            dead_embeddings: embedding.map(|collapse| collapse.dead),
            embedding_spectrum: embeddings
                .as_ref()
                .map(|(_, spectrum)| spectrum.clone())
                .unwrap_or_default(),
        }
    }
}

impl Metric {
    /// Optimiser steps made.
    pub fn step(&self) -> u64 {
        match self {
            Self::Training(metric) => metric.step,
            Self::Evaluation(metric) => metric.step,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::metrics) fn training(step: u64) -> Metric {
        Metric::Training(TrainingMetric {
            step,
            epoch: 1,
            readings: Readings::new(["loss", "invariance", "redundancy_reduction"], [12.5, 0.0, 0.0]),
            loss_floor: None,
            lr_weights: 0.1,
            lr_biases: 0.01,
            images_per_second: 80.0,
            data_wait: 0.0,
            seconds_left: None,
            peak_memory_mib: None,
            online_top1: None,
        })
    }

    #[test]
    fn the_names_are_those_of_the_contract() {
        let line = serde_json::to_value(training(2)).unwrap();
        for key in [
            "step",
            "epoch",
            "loss",
            "invariance",
            "redundancy_reduction",
            "loss_floor",
            "lr_weights",
            "lr_biases",
        ] {
            assert!(line.get(key).is_some(), "{key}");
        }
    }
}
