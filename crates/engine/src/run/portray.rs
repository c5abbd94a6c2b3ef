//! Computes what a report shows of a network, at the end of a run or later from a checkpoint, and stores it in the run's folder.

use crate::backend::TrainBackend;
use crate::config::Config;
use crate::context::RunContext;
use crate::evaluation::{EvaluationError, LinearWanted, Network, NetworkOnDevice, Wanted, Watch, evaluate};
use crate::portrait::{correlation, portrait, read_portrait, write_correlation, write_portrait};
use crate::run_dir::RunDir;
use crate::sources::Sources;
use crate::training::{FinishedTraining, TrainBackbone};
use anyhow::{Context, Result};
use barlow_augment::Views;
use barlow_model::Model;

/// Name of the correlation of the trained network.
pub(super) const TRAINED: &str = "trained";

/// Name of that of the network before its first step, by the source of its weights.
pub(super) fn name_of_start(from: Option<&str>) -> &'static str {
    if from.is_some() { "initial" } else { "untrained" }
}

/// Stores the correlation of the views' embeddings by a network.
///
/// # Errors
/// If the views are invalid, or the file cannot be written.
pub(super) fn save_correlation<B: TrainBackend, M: TrainBackbone<B>>(
    context: &RunContext,
    name: &str,
    model: &Model<B::InnerBackend, M::InnerModule>,
    device: &B::Device,
) -> Result<()> {
    let network = NetworkOnDevice {
        backbone: model.backbone.clone(),
        projector: Some(model.heads.projector.clone()),
        device: device.clone(),
    };
    let plan = &context.plan;
    let views = Views::new(&plan.method.views, context.sources.normalization.clone())?;
    match correlation(name, &network, &context.sources, &plan.config, &views) {
        Some(correlation) => write_correlation(&context.run, &correlation),
        None => Ok(()),
    }
}

/// Stores the correlation and the portrait of a trained network; no portrait without labelled test images.
///
/// # Errors
/// If something cannot be computed or written.
pub(super) fn save<B: TrainBackend, M: TrainBackbone<B>>(
    context: &RunContext,
    finished: &FinishedTraining<B, M>,
    device: &B::Device,
) -> Result<()> {
    save_correlation::<B, M>(context, TRAINED, &finished.model, device)?;
    let standing = &finished.standing;
    let features = standing
        .accuracy
        .as_ref()
        .and_then(|accuracy| accuracy.features.as_ref());
    let Some(features) = features else { return Ok(()) };
    let (portrait, thumbnails) = portrait(features, &context.sources, &context.plan.config, standing.progress.step)?;
    write_portrait(&context.run, &portrait, &thumbnails)
}

/// Whether a finished run was evaluated, and its folder lacks what the report shows of the network: a run of an earlier version, or
/// a damaged file.
pub fn lacks_portrait(run: &RunDir) -> bool {
    let is_evaluated = run.read_summary().is_some_and(|summary| summary.knn_top1.is_some());
    is_evaluated && read_portrait(run).is_none()
}

/// Computes what the report of a run shows of its network, which has made `step` steps, and stores it in the run's folder. The network
/// has its projector.
///
/// # Errors
/// If an image cannot be read, a file cannot be written, or the evaluation should stop.
pub fn portray(
    run: &RunDir,
    network: &dyn Network,
    sources: &Sources,
    config: &Config,
    step: u64,
    watch: &Watch<'_>,
) -> Result<(), EvaluationError> {
    let spec = config.method_definition().spec(&config.method_inputs(None));
    let views = Views::new(&spec.views, sources.normalization.clone()).context("the config's views")?;
    if let Some(correlation) = correlation(TRAINED, network, sources, config, &views) {
        write_correlation(run, &correlation)?;
    }
    let wanted = Wanted {
        keep_features: true,
        ..Wanted::of(config, LinearWanted::No)
    };
    let accuracy = evaluate(network, sources, config, &wanted, watch)?;
    if let Some(features) = accuracy.and_then(|accuracy| accuracy.features) {
        let (portrait, thumbnails) = portrait(&features, sources, config, step)?;
        write_portrait(run, &portrait, &thumbnails)?;
    }
    Ok(())
}
