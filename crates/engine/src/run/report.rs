//! The report of a run, finished or in progress, built from the files in its folder.

use super::charts::curves;
use super::portray::{TRAINED, name_of_start};
use super::{examples, facts};
use crate::config::{Config, flat};
use crate::files::write_atomic;
use crate::metrics::{self, LogLine};
use crate::portrait::{read_correlation, read_portrait};
use crate::run_dir::RunDir;
use crate::summary::Summary;
use anyhow::{Context, Result};
use barlow_report::{AccuracyRow, Correlation, Curve, ReportData, Series, figures, render, render_many};
use std::path::Path;

const FLOOR: &str = "The loss cannot fall below its floor, which depends on batch size, embedding width and the loss's \
                     settings; losses with different values of these are not comparable.";

const IN_PROGRESS: &str = "This run is in progress. This page is updated at each evaluation, and about every 30 seconds in \
                           between; reload it to see the current state. The map, the neighbours and the classes follow at its end.";

/// Writes the report of a finished run, or one page for several, to `out`. Reads the files in the runs' folders.
///
/// # Errors
/// If a run is not finished, its summary is damaged, its metrics log cannot be read, or `out` cannot be written.
pub fn write_report(runs: &[(RunDir, Config)], out: &Path) -> Result<()> {
    let data = finished(runs)?;
    let page = match data.as_slice() {
        [one] => render(one),
        several => render_many(several),
    };
    write_atomic(out, page.as_bytes())
}

/// Writes the figures of the report of a finished run, or the shared ones of several, into `folder`: drawings as SVG, pictures as PNG.
/// Returns their number.
///
/// # Errors
/// As [`write_report`].
pub fn write_figures(runs: &[(RunDir, Config)], folder: &Path) -> Result<usize> {
    let figures = figures(&finished(runs)?);
    for figure in &figures {
        write_atomic(&folder.join(&figure.name), &figure.bytes)?;
    }
    Ok(figures.len())
}

fn finished(runs: &[(RunDir, Config)]) -> Result<Vec<ReportData>> {
    let data = |(run, config): &(RunDir, Config)| {
        let text = std::fs::read_to_string(run.summary())
            .with_context(|| format!("{} is not finished; finish it with --resume", run.root().display()))?;
        let summary = serde_json::from_str(&text).with_context(|| format!("{} is damaged", run.summary().display()))?;
        report_data(run, &summary, config, Stage::Finished)
    };
    runs.iter().map(data).collect()
}

/// The state of a run that is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// In progress: `epochs` are complete, and the run has `total_steps` in all.
    Training { epochs: u64, total_steps: u64 },
    /// Finished: the summary has the results.
    Finished,
}

/// The report's data. For a run in progress, the summary holds the values so far, and the kNN accuracy is that of the last
/// evaluation in the log.
///
/// # Errors
/// If the metrics log cannot be read.
pub(super) fn report_data(run: &RunDir, summary: &Summary, config: &Config, stage: Stage) -> Result<ReportData> {
    let log = metrics::read(&run.metrics())?;
    let name = run
        .root()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let started = facts::started(run);
    let recipe = started.as_ref().map(|started| started.recipe.clone());
    let changes = recipe
        .as_ref()
        .and_then(|recipe| facts::changes_of_recipe(recipe, config));
    // What is stored of a run in progress is of its start, or of an earlier end.
    let is_finished = stage == Stage::Finished;
    let (portrait, thumbnails) = read_portrait(run).filter(|_| is_finished).unzip();
    let start = read_correlation(run, name_of_start(summary.from.as_deref()));
    let mut curves = curves(&log, config.method.kind.about().charts);
    add_spectrum_of_the_start(&mut curves, summary.start(), start.as_ref());
    let mut correlations: Vec<Correlation> = start.into_iter().collect();
    correlations.extend(read_correlation(run, TRAINED).filter(|_| is_finished));
    let in_progress = (!is_finished).then_some(IN_PROGRESS);
    let floor = summary.loss_floor.map(|_| FLOOR);
    Ok(ReportData {
        title: name,
        subtitle: subtitle(summary, config),
        config_toml: config.to_toml(),
        config: flat(config).into_iter().collect(),
        recipe: recipe.filter(|_| changes.is_some()),
        changes: changes.unwrap_or_default(),
        accuracy: accuracy(summary, stage, &log),
        before: summary.start().to_owned(),
        summary: headlines(summary, stage),
        notes: in_progress.into_iter().chain(floor).map(str::to_owned).collect(),
        curves,
        correlations,
        portrait,
        thumbnails: thumbnails.unwrap_or_default(),
        views: examples::read(run),
        evaluations: facts::evaluations(run),
        time: facts::time(&log, summary, config.train.batch_size),
        data: facts::data(run, config),
        repeat: facts::repeat(run, started.as_ref(), summary),
    })
}

/// The summary names a custom method, which the config cannot.
fn method(summary: &Summary, config: &Config) -> String {
    let named = summary.method.clone();
    named.unwrap_or_else(|| config.method.kind.name().to_owned())
}

fn subtitle(summary: &Summary, config: &Config) -> String {
    format!(
        "{} · {} · {} on {}",
        method(summary, config),
        flat(config)
            .get("model.backbone")
            .map_or("custom", |name| name.trim_matches('"')),
        summary.backend,
        summary.device
    )
}

fn headlines(summary: &Summary, stage: Stage) -> Vec<(String, String)> {
    let number = |value: f64| format!("{value:.2}");
    let (epochs, steps) = match stage {
        Stage::Finished => (summary.epochs.to_string(), summary.steps.to_string()),
        Stage::Training { epochs, total_steps } => (
            format!("{epochs} of {}", summary.epochs),
            format!("{} of {total_steps}", summary.steps),
        ),
    };
    let rows = [
        ("loss of the last epoch", number(summary.loss)),
        (
            "loss floor",
            summary.loss_floor.map_or("not defined".to_owned(), number),
        ),
        ("epochs", epochs),
        ("steps", steps),
        ("images/s", number(summary.images_per_second)),
        ("seconds", number(summary.wall_seconds)),
        ("seed", summary.seed.to_string()),
    ];
    rows.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn accuracy(summary: &Summary, stage: Stage, log: &[LogLine]) -> Vec<AccuracyRow> {
    let knn = match stage {
        Stage::Finished => summary.knn_top1,
        Stage::Training { .. } => last_knn(log),
    };
    let rows = [
        ("kNN top-1", summary.untrained_knn_top1, knn),
        ("linear top-1", summary.untrained_linear_top1, summary.linear_top1),
        ("linear top-5", None, summary.linear_top5),
    ];
    rows.into_iter()
        .filter(|(_, untrained, trained)| untrained.is_some() || trained.is_some())
        .map(|(name, untrained, trained)| AccuracyRow {
            name: name.to_owned(),
            untrained,
            trained,
        })
        .collect()
}

/// The kNN accuracy of the last evaluation; `None` before the first.
fn last_knn(log: &[LogLine]) -> Option<f64> {
    let mut evaluations = log.iter().filter(|line| line.is_evaluation());
    evaluations.next_back()?.number("knn_top1")
}

/// Adds the spectrum before the first step to the chart of the logged ones.
fn add_spectrum_of_the_start(curves: &mut [Curve], start: &str, first: Option<&Correlation>) {
    let chart = curves.iter_mut().find(|curve| curve.title == super::charts::SPECTRUM);
    if let (Some(first), Some(chart)) = (first, chart) {
        let points = (1..).map(f64::from).zip(first.spectrum.iter().copied());
        chart.series.insert(0, Series::line(start, points.collect()));
    }
}
