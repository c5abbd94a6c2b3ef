//! A network of given weights, and the initial weights of a network.

use super::Network;
use super::network::NetworkOnDevice;
use crate::config::Config;
use anyhow::{Context, Result, ensure};
use barlow_model::{Model, StateDict, initialize_with, load_state_dict, state_dict, strip_prefix};
use barlow_ops::ModelOps;

/// The network of a config with `weights`, by the names of a checkpoint, on a device; with the projector if `projector`.
///
/// # Errors
/// If the network is a custom one, or the weights do not fit the config.
pub fn network_of<B: ModelOps>(
    weights: &StateDict,
    config: &Config,
    projector: bool,
    device: &B::Device,
) -> Result<Box<dyn Network>> {
    ensure!(
        !projector || weights.keys().any(|name| name.starts_with("projector.")),
        "the weights have no projector, whose output was asked for; take the representations instead"
    );
    let backbone = config.backbone()?.init::<B>(device);
    let features = barlow_model::Backbone::<B>::feature_dim(&backbone);
    let backbone =
        load_state_dict(backbone, &strip_prefix(weights, "backbone.")).context("the weights do not fit the model")?;
    let projector = projector
        .then(|| {
            let spec = config.method_definition().spec(&config.method_inputs(None));
            let projector = spec.heads.projector.init::<B>(features, device);
            load_state_dict(projector, &strip_prefix(weights, "projector."))
                .context("the weights of the projector do not fit the config")
        })
        .transpose()?;
    Ok(Box::new(NetworkOnDevice {
        backbone,
        projector,
        device: device.clone(),
    }))
}

/// The weights from which a run of the config with this seed starts, by the names of a checkpoint.
///
/// # Errors
/// If the network is a custom one.
pub fn initial_weights_of<B: ModelOps>(config: &Config, seed: u64, device: &B::Device) -> Result<StateDict> {
    let spec = config.method_definition().spec(&config.method_inputs(None));
    let model = Model::new(config.backbone()?.init::<B>(device), &spec.heads, device);
    Ok(state_dict(&initialize_with(model, seed, config.model.conv_init))?)
}
