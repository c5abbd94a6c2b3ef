//! A network that a command is given: a run's, or that of a file of weights.

use super::ImportedFile;
use crate::checkpoint::{Checkpoint, Damaged};
use crate::config::Config;
use anyhow::Result;
use barlow_model::StateDict;

/// The weights of a network, by the names of a checkpoint, with their origin.
#[derive(Clone, Debug)]
pub struct GivenNetwork {
    /// Where they come from, for messages.
    pub origin: String,
    /// Backbone and, if there is one, projector.
    pub weights: StateDict,
    /// Checkpoints that could not be used.
    pub damaged: Vec<String>,
}

impl GivenNetwork {
    /// The network of a run's checkpoint that is evaluated.
    pub fn of_checkpoint(root: &str, checkpoint: &Checkpoint, damaged: &[Damaged], config: &Config) -> Self {
        Self {
            origin: format!("{root}, step {}", checkpoint.progress.step),
            weights: checkpoint.evaluated(config).clone(),
            damaged: damaged.iter().map(|damaged| format!("{:#}", damaged.error)).collect(),
        }
    }

    /// The network of a file.
    ///
    /// # Errors
    /// If a tensor cannot be read.
    pub fn of_file(origin: String, file: &ImportedFile) -> Result<Self> {
        Ok(Self {
            origin,
            weights: file.weights()?,
            damaged: Vec::new(),
        })
    }
}
