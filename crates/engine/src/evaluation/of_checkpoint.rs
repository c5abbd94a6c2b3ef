//! The evaluation of a checkpoint's network.

use super::{Accuracy, accuracy};
use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::sources::Sources;
use anyhow::{Context, Result};
use barlow_model::{load_state_dict, strip_prefix};
use barlow_ops::ModelOps;

/// Evaluates the network of a checkpoint, or its teacher if the method evaluates that; `None` if there are fewer than two classes
/// or no test images.
///
/// # Errors
/// If the network is a custom one, the checkpoint does not fit the config, or an image cannot be read.
pub fn evaluate_checkpoint<B: ModelOps>(
    checkpoint: &Checkpoint,
    sources: &Sources,
    config: &Config,
    with_linear: bool,
    device: &B::Device,
) -> Result<Option<Accuracy>> {
    let spec = config.method_definition().spec(&config.method_inputs(None));
    let weights = match spec.teacher {
        Some(teacher) if teacher.evaluated => &checkpoint.teacher,
        _ => &checkpoint.model,
    };
    let backbone = config.backbone()?.init::<B>(device);
    let backbone = load_state_dict(backbone, &strip_prefix(weights, "backbone."))
        .context("the checkpoint does not fit the model")?;
    accuracy(&backbone, None, sources, config, with_linear, device)
}
