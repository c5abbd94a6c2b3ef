//! `metrics.jsonl`: one JSON object a line, in the order of the run.
//!
//! A resumed run first drops the lines after its checkpoint, so that a step is never told twice.

use super::{Metric, MetricsSink};
use crate::run_dir::write_atomic;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

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
    use super::super::EvaluationMetric;
    use super::super::tests::training;
    use super::*;

    #[test]
    fn a_resumed_log_has_no_later_and_no_broken_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let evaluation = Metric::Evaluation(EvaluationMetric {
            step: 4,
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
}
