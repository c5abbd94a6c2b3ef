//! The report of a run, finished or in progress, built from the files in its folder.

use super::charts::curves;
use super::examples;
use crate::config::Config;
use crate::files::write_atomic;
use crate::metrics::{self, LogLine};
use crate::run_dir::RunDir;
use crate::summary::Summary;
use anyhow::{Context, Result};
use barlow_report::{AccuracyRow, ReportData, render, render_many};
use std::path::Path;

const FLOOR: &str = "The loss cannot fall below its floor, which depends on batch size, embedding width and the loss's \
                     settings; losses with different values of these are not comparable.";

const IN_PROGRESS: &str = "This run is in progress. This page is updated at each evaluation, and about every 30 seconds in \
                           between; reload it to see the current state.";

/// Writes the report of a finished run, or one page for several, to `out`. Reads the files in the runs' folders.
///
/// # Errors
/// If a run is not finished, its summary is damaged, its metrics log cannot be read, or `out` cannot be written.
pub fn write_report(runs: &[(RunDir, Config)], out: &Path) -> Result<()> {
    let mut data = Vec::new();
    for (run, config) in runs {
        let text = std::fs::read_to_string(run.summary())
            .with_context(|| format!("{} is not finished; finish it with --resume", run.root().display()))?;
        let summary = serde_json::from_str(&text).with_context(|| format!("{} is damaged", run.summary().display()))?;
        data.push(report_data(run, &summary, config, Stage::Finished)?);
    }
    let page = match data.as_slice() {
        [one] => render(one),
        several => render_many(several),
    };
    write_atomic(out, page.as_bytes())
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
    let number = |value: f64| format!("{value:.2}");
    // The summary names a custom method, which the config cannot.
    let method = config.method.kind.about();
    let kind = summary
        .method
        .clone()
        .unwrap_or_else(|| config.method.kind.name().to_owned());
    let (epochs, steps, knn) = match stage {
        Stage::Finished => (summary.epochs.to_string(), summary.steps.to_string(), summary.knn_top1),
        Stage::Training { epochs, total_steps } => (
            format!("{epochs} of {}", summary.epochs),
            format!("{} of {total_steps}", summary.steps),
            last_knn(&log),
        ),
    };
    let rows = [
        ("method", kind),
        ("backend", format!("{} on {}", summary.backend, summary.device)),
        ("seed", summary.seed.to_string()),
        ("epochs", epochs),
        ("steps", steps),
        ("images/s", number(summary.images_per_second)),
        ("seconds", number(summary.wall_seconds)),
        ("loss of the last epoch", number(summary.loss)),
        (
            "loss floor",
            summary.loss_floor.map_or("not defined".to_owned(), number),
        ),
        ("version", summary.version.clone()),
    ];
    let accuracy = [
        ("kNN top-1", summary.untrained_knn_top1, knn),
        ("linear top-1", summary.untrained_linear_top1, summary.linear_top1),
        ("linear top-5", None, summary.linear_top5),
    ];
    let in_progress = (stage != Stage::Finished).then_some(IN_PROGRESS);
    let floor = summary.loss_floor.map(|_| FLOOR);
    Ok(ReportData {
        title: name,
        config_toml: config.to_toml(),
        summary: rows.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        accuracy: accuracy
            .into_iter()
            .filter(|(_, untrained, trained)| untrained.is_some() || trained.is_some())
            .map(|(name, untrained, trained)| AccuracyRow {
                name: name.to_owned(),
                untrained,
                trained,
            })
            .collect(),
        before: summary.start().to_owned(),
        curves: curves(&log, method.charts),
        views: examples::read(run),
        notes: in_progress.into_iter().chain(floor).map(str::to_owned).collect(),
    })
}

/// The kNN accuracy of the last evaluation; `None` before the first.
fn last_knn(log: &[LogLine]) -> Option<f64> {
    let mut evaluations = log.iter().filter(|line| line.is_evaluation());
    evaluations.next_back()?.number("knn_top1")
}
