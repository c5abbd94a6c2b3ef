//! What a training step needs of a Burn backend, and how a run names the device that it uses.

use crate::optim::OptimOps;
use barlow_loss::ops::LossOps;
use barlow_ops::ModelOps;
use burn::tensor::backend::AutodiffBackend;
use std::fmt;

/// What a training step needs of a backend.
pub trait TrainBackend: AutodiffBackend<InnerBackend: ModelOps + OptimOps> + ModelOps + LossOps {}

impl<B> TrainBackend for B where B: AutodiffBackend<InnerBackend: ModelOps + OptimOps> + ModelOps + LossOps {}

/// The device of a run, as messages and `summary.json` name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLabel {
    /// `cpu`, `wgpu` or `cuda`.
    pub backend: String,
    /// The device's own name.
    pub name: String,
    /// Why this one was selected.
    pub reason: String,
}

impl DeviceLabel {
    /// A label of a device that the program chose itself.
    pub fn new(backend: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            backend: backend.into(),
            name: name.into(),
            reason: "chosen by the program".to_owned(),
        }
    }
}

impl fmt::Display for DeviceLabel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} on {} ({})", self.backend, self.name, self.reason)
    }
}
