//! A checkpoint: everything that a run needs to go on, in one safetensors file.
//!
//! Tensors are `model.<name>` and `optimizer.<name>#<buffer>`; the one metadata entry `run` is JSON. Files are whole or
//! absent (temporary file, sync, rename). Knows nothing of backends: tensors are on the host.

use crate::run_dir::{RunDir, write_atomic};
use crate::summary::{LossMeans, LossValues, UntrainedAccuracy};
use anyhow::{Context, Result, bail};
use barlow_model::{StateDict, read_safetensors, save_safetensors};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Version of the file's layout; a reader refuses a later one.
const FORMAT: u32 = 1;

/// Where a run stands, beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Layout of the file.
    pub format: u32,
    /// Version of the program that wrote it.
    pub version: String,
    /// The resolved config.
    pub config: String,
    /// Training images; a resumed run must have the same.
    pub images: usize,
    /// Optimiser steps made.
    pub step: u64,
    /// Losses of the epoch that is not finished.
    pub losses: LossMeans,
    /// Mean losses of the last whole epoch.
    pub last_epoch: Option<LossValues>,
    /// Seconds spent so far, in all sessions of the run.
    pub wall_seconds: f64,
    /// Seconds of those spent in training steps.
    pub training_seconds: f64,
    /// Accuracy of the features before the first step.
    pub untrained: UntrainedAccuracy,
    /// The best kNN accuracy so far, with its step.
    pub best: Option<(f64, u64)>,
}

impl Progress {
    /// The start of a run.
    pub fn start(config: String, images: usize) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            config,
            images,
            step: 0,
            losses: LossMeans::default(),
            last_epoch: None,
            wall_seconds: 0.0,
            training_seconds: 0.0,
            untrained: UntrainedAccuracy::default(),
            best: None,
        }
    }
}

/// A run at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Where the run stands.
    pub progress: Progress,
    /// Weights and running statistics by name.
    pub model: StateDict,
    /// The optimiser's buffers by name.
    pub optimizer: StateDict,
}

impl Checkpoint {
    /// Writes the checkpoint, drops all but the newest `keep` (≥ 1), and copies it to `best` when asked.
    ///
    /// # Errors
    /// With the path; older checkpoints stay.
    pub fn save(self, run: &RunDir, keep: usize, is_best: bool) -> Result<PathBuf> {
        let mut tensors = StateDict::new();
        for (prefix, group) in [("model", self.model), ("optimizer", self.optimizer)] {
            tensors.extend(
                group
                    .into_iter()
                    .map(|(name, tensor)| (format!("{prefix}.{name}"), tensor)),
            );
        }
        let progress = serde_json::to_string(&self.progress)?;
        let bytes = save_safetensors(&tensors, None, Some(("run", &progress)))?;
        let path = run.checkpoints().join(file_name(self.progress.step));
        write_atomic(&path, &bytes)?;
        if is_best {
            write_atomic(&best_path(run), &bytes)?;
        }
        let mut steps = saved_steps(run)?;
        steps.retain(|&step| step != self.progress.step);
        for step in steps.iter().rev().skip(keep.saturating_sub(1)) {
            let old = run.checkpoints().join(file_name(*step));
            std::fs::remove_file(&old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
        Ok(path)
    }

    /// The newest checkpoint of a run, if it has one.
    ///
    /// # Errors
    /// When the file is there and cannot be used.
    pub fn newest(run: &RunDir) -> Result<Option<Self>> {
        match saved_steps(run)?.last() {
            Some(&step) => Self::read(&run.checkpoints().join(file_name(step))).map(Some),
            None => Ok(None),
        }
    }

    /// The best checkpoint of a run, else its newest.
    ///
    /// # Errors
    /// When a file is there and cannot be used.
    pub fn best(run: &RunDir) -> Result<Option<Self>> {
        let path = best_path(run);
        if path.is_file() {
            Self::read(&path).map(Some)
        } else {
            Self::newest(run)
        }
    }

    /// Reads a checkpoint file.
    ///
    /// # Errors
    /// One line with the path when it is no checkpoint, or of a later version.
    pub fn read(path: &Path) -> Result<Self> {
        let read = || -> Result<Self> {
            let file = read_safetensors(&std::fs::read(path)?)?;
            let progress = file
                .metadata
                .get("run")
                .context("it has no `run` entry, so it is no checkpoint of a run")?;
            let progress: Progress = serde_json::from_str(progress)?;
            if progress.format > FORMAT {
                bail!("it has format {}, this program reads up to {FORMAT}", progress.format);
            }
            let (mut model, mut optimizer) = (StateDict::new(), StateDict::new());
            for (name, tensor) in file.tensors {
                if let Some(name) = name.strip_prefix("model.") {
                    model.insert(name.to_owned(), tensor);
                } else if let Some(name) = name.strip_prefix("optimizer.") {
                    optimizer.insert(name.to_owned(), tensor);
                }
            }
            Ok(Self {
                progress,
                model,
                optimizer,
            })
        };
        read().with_context(|| format!("cannot use the checkpoint {}", path.display()))
    }
}

fn best_path(run: &RunDir) -> PathBuf {
    run.checkpoints().join("best.safetensors")
}

fn file_name(step: u64) -> String {
    format!("step-{step:08}.safetensors")
}

/// Steps that have a checkpoint, rising.
fn saved_steps(run: &RunDir) -> Result<Vec<u64>> {
    let folder = run.checkpoints();
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    let step = |name: &str| name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok();
    let mut steps: Vec<u64> = entries
        .flatten()
        .filter_map(|entry| step(&entry.file_name().to_string_lossy()))
        .collect();
    steps.sort_unstable();
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_model::HostTensor;

    fn checkpoint(step: u64) -> Checkpoint {
        let tensor = HostTensor {
            shape: vec![2, 3],
            data: (0..6).map(|i| i as f32 * 0.1 + step as f32).collect(),
        };
        Checkpoint {
            progress: Progress {
                step,
                ..Progress::start("[run]\nseed = 3\n".into(), 1662)
            },
            model: [("backbone.conv1.weight".to_owned(), tensor.clone())].into(),
            optimizer: [("backbone.conv1.weight#0".to_owned(), tensor)].into(),
        }
    }

    #[test]
    fn what_was_saved_is_read_and_only_the_newest_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path()).unwrap();
        assert_eq!(Checkpoint::newest(&run).unwrap(), None);
        for step in [5, 10, 100] {
            checkpoint(step).save(&run, 2, step == 10).unwrap();
        }
        assert_eq!(saved_steps(&run).unwrap(), [10, 100]);
        assert_eq!(Checkpoint::newest(&run).unwrap(), Some(checkpoint(100)));
        assert_eq!(Checkpoint::best(&run).unwrap(), Some(checkpoint(10)));
    }

    #[test]
    fn a_damaged_file_is_an_error_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path()).unwrap();
        let path = checkpoint(7).save(&run, 1, false).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let error = Checkpoint::newest(&run).unwrap_err();
        assert!(format!("{error:#}").contains("step-00000007.safetensors"), "{error:#}");
    }
}
