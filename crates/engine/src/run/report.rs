//! The report of finished runs, from what lies in their folders.

use super::charts::curves;
use super::examples;
use crate::config::Config;
use crate::files::write_atomic;
use crate::metrics;
use crate::run_dir::RunDir;
use crate::summary::Summary;
use anyhow::{Context, Result};
use barlow_report::{AccuracyRow, ReportData, render, render_many};
use std::path::Path;

const FLOOR: &str = "The loss cannot fall below its floor for this batch size, embedding width and settings; losses of other sizes are not \
                     comparable.";

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

pub(super) fn report_data(run: &RunDir, summary: &Summary, config: &Config) -> Result<ReportData> {
    let name = run
        .root()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let number = |value: f64| format!("{value:.2}");
    // Of a method of a custom program the config names none.
    let method = config.method.kind.about();
    let kind = summary
        .method
        .clone()
        .unwrap_or_else(|| config.method.kind.name().to_owned());
    let rows = [
        ("method", kind),
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
        curves: curves(&metrics::read(&run.metrics())?, method.charts),
        views: examples::read(run),
        notes: summary.loss_floor.map_or(Vec::new(), |_| vec![FLOOR.to_owned()]),
    })
}
