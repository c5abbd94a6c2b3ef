//! A checkpoint: everything that a run needs to go on, in one safetensors file.
//!
//! What it holds stands here, how it is written in `file.rs`, which of a run's checkpoints are kept and taken in `folder.rs`.
//! Knows nothing of backends: tensors are on the host.

mod file;
mod folder;

pub use folder::{Damaged, Kept};

use crate::sources::Images;
use crate::summary::{LossMeans, LossValues, UntrainedAccuracy};
use barlow_model::StateDict;
use serde::{Deserialize, Serialize};

/// Version of the file's layout; a reader refuses a later one.
const FORMAT: u32 = 2;

/// Where a run stands, beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Layout of the file.
    pub format: u32,
    /// Version of the program that wrote it.
    pub version: String,
    /// The resolved config.
    pub config: String,
    /// The training images; a resumed run must have the same.
    pub images: Images,
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
    /// Where the weights are from that the run began with; none where they were drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Accuracy of the features before the first step.
    pub untrained: UntrainedAccuracy,
    /// The best kNN accuracy so far, with its step.
    pub best: Option<(f64, u64)>,
}

impl Progress {
    /// The start of a run.
    pub fn start(config: String, images: Images) -> Self {
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
            from: None,
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
    /// The online probe; empty without one.
    pub probe: StateDict,
}

#[cfg(test)]
fn example(step: u64) -> Checkpoint {
    let tensor = barlow_model::HostTensor {
        shape: vec![2, 3],
        data: (0..6).map(|i| i as f32 * 0.1 + step as f32).collect(),
    };
    let images = Images {
        count: 1662,
        fingerprint: "0123".into(),
    };
    Checkpoint {
        progress: Progress {
            step,
            ..Progress::start("[run]\nseed = 3\n".into(), images)
        },
        model: [("backbone.conv1.weight".to_owned(), tensor.clone())].into(),
        optimizer: [("backbone.conv1.weight#0".to_owned(), tensor.clone())].into(),
        probe: [("weight".to_owned(), tensor)].into(),
    }
}
