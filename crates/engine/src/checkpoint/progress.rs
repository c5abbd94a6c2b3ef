//! The metadata of a checkpoint: the state of a run without its tensors.

use crate::metrics::{ReadingMeans, Readings};
use crate::sources::Images;
use crate::summary::UntrainedAccuracy;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of the file format. 3 added the method, its teacher and its state; 2 is read as Barlow Twins.
pub(super) const FORMAT: u32 = 3;
/// The oldest format that can be read.
pub(super) const OLDEST_FORMAT: u32 = 2;

/// The state of a run without its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Version of the file format.
    pub format: u32,
    /// Version of the program that wrote it.
    pub version: String,
    /// The resolved config.
    pub config: String,
    /// The training images; a resumed run must have the same.
    pub images: Images,
    /// Optimiser steps made.
    pub step: u64,
    /// [`MethodSpec::identity`](crate::method::MethodSpec::identity) of the method; absent in format 2.
    #[serde(default)]
    pub method: Option<Value>,
    /// Name of the update rule; absent in format 2.
    #[serde(default)]
    pub optimizer: Option<String>,
    /// Readings of the unfinished epoch.
    pub losses: ReadingMeans,
    /// Mean readings of the last complete epoch.
    pub last_epoch: Option<Readings>,
    /// Seconds spent so far, in all sessions of the run.
    pub wall_seconds: f64,
    /// Seconds of those spent in training steps.
    pub training_seconds: f64,
    /// Source of the initial weights; `None` if they were initialised at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Accuracy of the features before the first step.
    pub untrained: UntrainedAccuracy,
    /// The best kNN accuracy so far, with its step.
    pub best: Option<(f64, u64)>,
    /// The epoch is complete and its evaluation is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub evaluation_due: bool,
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
            method: None,
            optimizer: None,
            losses: ReadingMeans::default(),
            last_epoch: None,
            wall_seconds: 0.0,
            training_seconds: 0.0,
            from: None,
            untrained: UntrainedAccuracy::default(),
            best: None,
            evaluation_due: false,
        }
    }
}
