//! `metrics.jsonl`: one JSON object a line, in the order of the run.
//!
//! A resumed run first drops the lines after its checkpoint, so that a step is never told twice.

use crate::run_dir::write_atomic;
use crate::summary::LossValues;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Metric {
    /// Means over the steps since the line before.
    Training(TrainingMetric),
    /// An evaluation between two steps.
    Evaluation(EvaluationMetric),
}

/// Means over the steps since the line before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingMetric {
    /// Optimiser steps made.
    pub step: u64,
    /// The epoch that these steps belong to, from 1.
    pub epoch: u64,
    /// The loss and its parts.
    #[serde(flatten)]
    pub values: LossValues,
    /// The least possible loss; null where it is not defined.
    pub loss_floor: Option<f64>,
    /// Rate of the weights at the last of these steps.
    pub lr_weights: f64,
    /// Rate of biases and norm parameters at the last of these steps.
    pub lr_biases: f64,
    /// Images a second.
    pub images_per_second: f64,
    /// Part of the time that was spent waiting for views, in [0, 1].
    pub data_wait: f64,
}

/// An evaluation between two steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluationMetric {
    /// Optimiser steps made.
    pub step: u64,
    /// Epochs done.
    pub epoch: u64,
    /// kNN accuracy on the test images.
    pub knn_top1: f64,
    /// Accuracy of the linear probe, where it was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linear_top1: Option<f64>,
}

impl Metric {
    fn step(&self) -> u64 {
        match self {
            Self::Training(metric) => metric.step,
            Self::Evaluation(metric) => metric.step,
        }
    }
}

/// The log of a run, open for more lines.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: File,
}

impl MetricsLog {
    /// Opens the log of a run that has made `step` steps; later lines are dropped, and with `to_be_judged` the evaluations at
    /// this step too, because they are about to be made again.
    ///
    /// # Errors
    /// With the path.
    pub fn open(path: &Path, step: u64, to_be_judged: bool) -> Result<Self> {
        let stays = |metric: &Metric| match metric {
            Metric::Evaluation(metric) if to_be_judged => metric.step < step,
            metric => metric.step() <= step,
        };
        let kept: Vec<Metric> = read(path)?.into_iter().filter(stays).collect();
        let mut text = String::new();
        for metric in &kept {
            text.push_str(&serde_json::to_string(metric)?);
            text.push('\n');
        }
        write_atomic(path, text.as_bytes())?;
        let file = File::options()
            .append(true)
            .open(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// With the path.
    pub fn write(&mut self, metric: &Metric) -> Result<()> {
        let mut line = serde_json::to_string(metric)?;
        line.push('\n');
        self.file
            .write_all(line.as_bytes())
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Reads a log; a missing file is an empty one, and a last line that was cut short is left out.
///
/// # Errors
/// With the path when it cannot be read.
pub fn read(path: &Path) -> Result<Vec<Metric>> {
    let text = match std::fs::read(path) {
        // Damaged bytes spoil their line alone.
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    Ok(text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(step: u64) -> Metric {
        let values = LossValues {
            loss: 12.5,
            ..Default::default()
        };
        Metric::Training(TrainingMetric {
            step,
            epoch: 1,
            values,
            loss_floor: None,
            lr_weights: 0.1,
            lr_biases: 0.01,
            images_per_second: 80.0,
            data_wait: 0.0,
        })
    }

    #[test]
    fn a_resumed_log_has_no_later_and_no_broken_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let evaluation = Metric::Evaluation(EvaluationMetric {
            step: 4,
            epoch: 1,
            knn_top1: 0.5,
            linear_top1: None,
        });
        let mut log = MetricsLog::open(&path, 0, false).unwrap();
        for metric in [training(2), training(4), evaluation.clone(), training(6)] {
            log.write(&metric).unwrap();
        }
        log.file.write_all(b"{\"step\": 8, \"ep").unwrap();
        let mut log = MetricsLog::open(&path, 4, false).unwrap();
        log.write(&training(5)).unwrap();
        assert_eq!(
            read(&path).unwrap(),
            [training(2), training(4), evaluation, training(5)]
        );
        MetricsLog::open(&path, 4, true).unwrap();
        assert_eq!(read(&path).unwrap(), [training(2), training(4)]);
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
