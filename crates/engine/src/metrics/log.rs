//! The metrics log `metrics.jsonl`: one JSON object per line, in the order of the run.
//!
//! A resumed run first drops the lines after its checkpoint, so that no step is logged twice. The remaining lines are not
//! touched: other programs may write to the log too, and another version may have fields that this one does not know.

use super::{LOSS, Metric, MetricsSink};
use crate::files::write_atomic;
use anyhow::{Context, Result};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The log of a run, open for more lines.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: File,
}

/// A line that was read: an object with any fields.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine(Map<String, Value>);

impl LogLine {
    /// A line of this JSON text; `None` if it is not an object.
    pub fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().map(Self)
    }

    /// The number in a field, if there is one.
    pub fn number(&self, field: &str) -> Option<f64> {
        self.0.get(field)?.as_f64()
    }

    /// The numbers in a field that holds a list.
    pub fn numbers(&self, field: &str) -> Vec<f64> {
        let list = self.0.get(field).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_f64).collect()
    }

    /// Optimiser steps made.
    pub fn step(&self) -> Option<u64> {
        self.0.get("step")?.as_u64()
    }

    /// Whether it is an interval of training.
    pub fn is_training(&self) -> bool {
        self.number(LOSS).is_some()
    }

    /// Whether it is an evaluation.
    pub fn is_evaluation(&self) -> bool {
        !self.is_training() && self.number("knn_top1").is_some()
    }
}

impl MetricsLog {
    /// Opens the log of a run that has made `step` steps; later lines are dropped, and with `to_be_evaluated` the evaluations at
    /// this step too, because they are about to be repeated.
    ///
    /// # Errors
    /// With the path.
    pub fn open(path: &Path, step: u64, to_be_evaluated: bool) -> Result<Self> {
        let stays = |text: &[u8]| match LogLine::parse(text) {
            Some(line) if to_be_evaluated && line.is_evaluation() => line.step().is_none_or(|at| at < step),
            Some(line) => line.step().is_none_or(|at| at <= step),
            // Written by another program, so it is retained.
            None => true,
        };
        let bytes = read_bytes(path)?;
        let kept: Vec<u8> = whole_lines(&bytes)
            .filter(|line| stays(line))
            .flatten()
            .copied()
            .collect();
        write_atomic(path, &kept)?;
        let file = File::options()
            .append(true)
            .open(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }
}

impl MetricsSink for MetricsLog {
    fn write(&mut self, metric: &Metric) -> Result<()> {
        let mut line = serde_json::to_string(metric)?;
        line.push('\n');
        self.file
            .write_all(line.as_bytes())
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Reads a log; a missing file is an empty one. Lines that are not objects are skipped, so damaged bytes affect only their own
/// line.
///
/// # Errors
/// With the path when it cannot be read.
pub fn read(path: &Path) -> Result<Vec<LogLine>> {
    let bytes = read_bytes(path)?;
    Ok(whole_lines(&bytes).filter_map(LogLine::parse).collect())
}

fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Lines including their line breaks; a truncated last one is skipped.
fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split_inclusive(|&byte| byte == b'\n')
        .filter(|line| line.ends_with(b"\n"))
}

#[cfg(test)]
mod tests {
    use super::super::EvaluationMetric;
    use super::super::lines::tests::training;
    use super::*;

    fn evaluation(step: u64) -> Metric {
        Metric::Evaluation(EvaluationMetric {
            step,
            epoch: 1,
            knn_top1: 0.5,
            linear_top1: None,
            effective_rank: Some(9.0),
            feature_spread: Some(0.5),
            dead_features: None,
            embedding_rank: Some(3.5),
            embedding_spread: None,
            dead_embeddings: Some(0),
            embedding_spectrum: vec![0.5, 0.25],
        })
    }

    fn steps(path: &Path) -> Vec<u64> {
        read(path).unwrap().iter().map(|line| line.step().unwrap()).collect()
    }

    #[test]
    fn a_resumed_log_has_no_later_and_no_broken_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut log = MetricsLog::open(&path, 0, false).unwrap();
        for metric in [training(2), training(4), evaluation(4), training(6)] {
            log.write(&metric).unwrap();
        }
        log.file.write_all(b"{\"step\": 8, \"ep").unwrap();
        let mut log = MetricsLog::open(&path, 4, false).unwrap();
        log.write(&training(5)).unwrap();
        assert_eq!(steps(&path), [2, 4, 4, 5]);
        assert_eq!(read(&path).unwrap()[2].numbers("embedding_spectrum"), [0.5, 0.25]);
        MetricsLog::open(&path, 4, true).unwrap();
        assert_eq!(steps(&path), [2, 4]);
    }

    #[test]
    fn lines_and_fields_of_others_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let kept: &[u8] = b"{\"step\":1,\"loss\":1.0,\"a_later_version\":[1,{\"x\":2}]}\n                            {\"note\":\"without a step\"}\n                            \xff\xfe no JSON\n                            {\"step\": 2,   \"knn_top1\":0.25, \"mine\": true}\n";
        let later = b"{\"step\":3,\"mine\":1}\n";
        std::fs::write(&path, [kept, later].concat()).unwrap();
        MetricsLog::open(&path, 2, false).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), kept);
        assert_eq!(read(&path).unwrap().len(), 3);
    }
}
