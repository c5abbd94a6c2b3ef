//! The results of a run: the exported backbone, the summary, and the report, which is written from the first epoch on.

use super::portray;
use super::report::{Stage, report_data};
use crate::backend::TrainBackend;
use crate::context::RunContext;
use crate::files::{write_atomic, write_json};
use crate::summary::Summary;
use crate::training::{FinishedTraining, Standing, TrainBackbone};
use anyhow::{Context, Result};
use barlow_model::{save_safetensors, state_dict};
use barlow_report::render;

/// Writes the backbone and the report, and the summary last: its existence marks the run as finished.
///
/// # Errors
/// With the path of a file that cannot be written, or if the metrics log cannot be read.
pub(super) fn write<B: TrainBackend, M: TrainBackbone<B>>(
    context: &RunContext,
    finished: &FinishedTraining<B, M>,
    device: &B::Device,
) -> Result<Summary> {
    export_backbone(context, finished)?;
    // They are for looking at: a run of days does not fail for them.
    if let Err(error) = portray::save(context, finished, device) {
        context.console.warn(&format!("the report has no map: {error:#}"));
    }
    let summary = summary(context, &finished.standing);
    let data = report_data(&context.run, &summary, &context.plan.config, Stage::Finished)?;
    write_atomic(&context.run.report(), render(&data).as_bytes())?;
    write_json(&context.run.summary(), &summary)?;
    Ok(summary)
}

/// Writes the report of a run in progress.
///
/// # Errors
/// If the metrics log cannot be read, or the report cannot be written.
pub(super) fn write_report_so_far(context: &RunContext, standing: &Standing) -> Result<()> {
    let plan = &context.plan;
    let stage = Stage::Training {
        epochs: standing.progress.step / plan.steps_per_epoch,
        total_steps: plan.schedule.total_steps,
    };
    let data = report_data(&context.run, &summary(context, standing), &plan.config, stage)?;
    write_atomic(&context.run.report(), render(&data).as_bytes())
}

/// Exports the backbone with PyTorch's parameter names; those of a ResNet are torchvision's.
fn export_backbone<B: TrainBackend, M: TrainBackbone<B>>(
    context: &RunContext,
    finished: &FinishedTraining<B, M>,
) -> Result<()> {
    // `num_batches_tracked`: each forward pass updates the running statistics once.
    let train = &context.plan.config.train;
    let parts = train.micro_batch.map_or(1, |images| train.batch_size / images) as u64;
    let method = &context.plan.method;
    let is_teacher = method.teacher.as_ref().is_some_and(|teacher| teacher.evaluated);
    let passes = match is_teacher {
        true => method.passes_of_teacher(),
        false => method.passes_of_views(),
    };
    let batches = i64::try_from(passes.len() as u64 * parts * finished.standing.progress.step)
        .context("the number of forward passes does not fit in 64 bits")?;
    let bytes = save_safetensors(&state_dict(&finished.model.backbone)?, Some(batches), None)?;
    write_atomic(&context.run.backbone(), &bytes)
}

fn summary(context: &RunContext, standing: &Standing) -> Summary {
    let config = &context.plan.config;
    let Standing {
        progress,
        accuracy,
        loss_floor,
        wall_seconds,
    } = standing;
    let last_epoch = progress.last_epoch.clone().unwrap_or_default();
    let accuracy = accuracy.as_ref();
    let linear = accuracy.and_then(|accuracy| accuracy.linear.as_ref());
    let images = progress.step as f64 * config.train.batch_size as f64;
    Summary {
        knn_top1: accuracy.map(|accuracy| accuracy.knn_top1),
        linear_top1: linear.map(|linear| linear.top1),
        linear_top5: linear.and_then(|linear| linear.top5),
        linear_protocol: linear.map(|linear| linear.protocol),
        from: progress.from.clone(),
        untrained_knn_top1: progress.untrained.knn_top1,
        untrained_linear_top1: progress.untrained.linear_top1,
        loss: last_epoch.loss(),
        loss_floor: *loss_floor,
        readings: Some(last_epoch),
        method: Some(context.plan.method.kind.clone()),
        steps: progress.step,
        epochs: config.train.epochs,
        images_per_second: images / progress.training_seconds.max(1e-9),
        wall_seconds: *wall_seconds,
        backend: context.device.backend.clone(),
        device: context.device.name.clone(),
        seed: config.run.seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
