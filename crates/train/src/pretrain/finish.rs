//! What a run leaves: view pairs, the exported backbone, the summary, the report.

use super::Job;
use super::curves::curves;
use super::evaluate::Accuracy;
use crate::checkpoint::Progress;
use crate::config::Config;
use crate::metrics;
use crate::report::{AccuracyRow, ReportData, render, render_many};
use crate::run_dir::{RunDir, write_atomic, write_json};
use crate::summary::Summary;
use anyhow::{Context, Result};
use barlow_augment::{TwinViews, encode_png};
use barlow_model::{Backbone, save_safetensors, state_dict};
use burn::tensor::backend::Backend;
use std::path::Path;

const FLOOR: &str = "The loss cannot fall below its floor for this batch size, embedding width and lambda; losses of other sizes are not \
                     comparable.";

/// View pairs that are kept for the report.
const VIEW_PAIRS: usize = 6;

/// Keeps the first epoch's views of a few images, spread over the data set, for the report.
pub(super) fn save_view_pairs(job: &Job) -> Result<()> {
    let config = &job.plan.config;
    let views = TwinViews::new(&config.views, job.sources.normalization.clone())?;
    let source = job.sources.train.as_ref();
    let wanted = VIEW_PAIRS.min(source.len());
    let spread = (0..wanted).map(|pair| pair * source.len() / wanted);
    // A bad image is told of, or replaced, by the loader.
    let images = spread.filter_map(|index| Some((index, source.image(index).ok()?)));
    for (pair, (index, image)) in images.enumerate() {
        let (view_a, view_b) = views.apply_u8(&image, config.run.seed, 0, index as u64);
        for (name, image) in [("image", image.as_ref()), ("view_a", &view_a), ("view_b", &view_b)] {
            write_atomic(&view_path(&job.run, pair, name), &encode_png(&image.preview())?)?;
        }
    }
    Ok(())
}

fn view_path(run: &RunDir, pair: usize, name: &str) -> std::path::PathBuf {
    run.root().join("views").join(format!("{pair}-{name}.png"))
}

/// Writes the backbone, a ResNet with torchvision's names.
pub(super) fn export_backbone<B: Backend>(job: &Job, backbone: &impl Backbone<B>, steps: u64) -> Result<()> {
    // Each step moves the running statistics once a view.
    let train = &job.plan.config.train;
    let parts = train.micro_batch.map_or(1, |images| train.batch_size / images) as u64;
    let batches = i64::try_from(2 * parts * steps).context("a number of steps fits")?;
    let bytes = save_safetensors(&state_dict(backbone), Some(batches), None)?;
    write_atomic(&job.run.backbone(), &bytes)
}

/// The result of a finished run; `loss` with its floor.
pub(super) fn summary(
    job: &Job,
    progress: &Progress,
    accuracy: Option<&Accuracy>,
    loss: (f64, Option<f64>),
    wall_seconds: f64,
) -> Summary {
    let config = &job.plan.config;
    let linear = accuracy.and_then(|accuracy| accuracy.linear.as_ref());
    let images = progress.step as f64 * config.train.batch_size as f64;
    Summary {
        knn_top1: accuracy.map(|accuracy| accuracy.knn_top1),
        linear_top1: linear.map(|linear| linear.top1),
        linear_top5: linear.and_then(|linear| linear.top5),
        from: progress.from.clone(),
        untrained_knn_top1: progress.untrained.knn_top1,
        untrained_linear_top1: progress.untrained.linear_top1,
        loss: loss.0,
        loss_floor: loss.1,
        steps: progress.step,
        epochs: config.train.epochs,
        images_per_second: images / progress.training_seconds.max(1e-9),
        wall_seconds,
        backend: job.selected.backend.to_owned(),
        device: job.selected.name.clone(),
        seed: config.run.seed,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Writes the report, then the summary: a run with a summary is a finished one.
pub(super) fn write_results(job: &Job, summary: &Summary) -> Result<()> {
    let data = report_data(&job.run, summary, &job.plan.config)?;
    write_atomic(&job.run.report(), render(&data).as_bytes())?;
    write_json(&job.run.summary(), summary)
}

/// Writes the report of finished runs again, from what lies in their folders.
///
/// # Errors
/// When a run has no summary yet, or the file cannot be written.
pub fn write_report(runs: &[(RunDir, Config)], out: &Path) -> Result<()> {
    let mut data = Vec::new();
    for (run, config) in runs {
        let text = std::fs::read_to_string(run.summary())
            .with_context(|| format!("{} is not finished; finish it with --resume", run.root().display()))?;
        let summary = serde_json::from_str(&text).with_context(|| format!("{} is damaged", run.summary().display()))?;
        data.push(report_data(run, &summary, config)?);
    }
    let page = match data.as_slice() {
        [one] => render(one),
        several => render_many(several),
    };
    write_atomic(out, page.as_bytes())
}

fn report_data(run: &RunDir, summary: &Summary, config: &Config) -> Result<ReportData> {
    let name = run
        .root()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let number = |value: f64| format!("{value:.2}");
    let rows = [
        ("backend", format!("{} on {}", summary.backend, summary.device)),
        ("seed", summary.seed.to_string()),
        ("epochs", summary.epochs.to_string()),
        ("steps", summary.steps.to_string()),
        ("images a second", number(summary.images_per_second)),
        ("seconds", number(summary.wall_seconds)),
        ("loss of the last epoch", number(summary.loss)),
        (
            "loss floor",
            summary.loss_floor.map_or("not defined".to_owned(), number),
        ),
        ("version", summary.version.clone()),
    ];
    let accuracy = [
        ("kNN top-1", summary.untrained_knn_top1, summary.knn_top1),
        ("linear top-1", summary.untrained_linear_top1, summary.linear_top1),
        ("linear top-5", None, summary.linear_top5),
    ];
    Ok(ReportData {
        title: name,
        config_toml: config.to_toml(),
        summary: rows.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        accuracy: accuracy
            .into_iter()
            .map(|(name, untrained, trained)| AccuracyRow {
                name: name.to_owned(),
                untrained,
                trained,
            })
            .collect(),
        before: summary.start().to_owned(),
        curves: curves(&metrics::read(&run.metrics())?),
        view_pairs: (0..VIEW_PAIRS).map_while(|pair| view_pair(run, pair)).collect(),
        notes: summary.loss_floor.map_or(Vec::new(), |_| vec![FLOOR.to_owned()]),
    })
}

fn view_pair(run: &RunDir, pair: usize) -> Option<(Vec<u8>, Vec<u8>, Vec<u8>)> {
    let read = |name| std::fs::read(view_path(run, pair, name)).ok();
    Some((read("image")?, read("view_a")?, read("view_b")?))
}
