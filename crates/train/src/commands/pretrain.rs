//! The `pretrain` command: prints the plan of a run and runs it.

use crate::console::print_result;
use barlow_engine::device::RunRequest;
use barlow_engine::error::RunError;
use barlow_engine::summary::Summary;
use barlow_train::device::Selected;
use std::path::Path;

/// Runs the request and prints the result.
///
/// # Errors
/// [`RunError`], each one line.
pub fn run(selected: &Selected, request: RunRequest) -> Result<(), RunError> {
    let dry_run = request.dry_run;
    let is_first = request.group.place().is_first();
    let trained = selected.run(|device| {
        let prepared = device.prepare(request)?;
        if dry_run && let Some(plan) = prepared.plan() {
            if is_first {
                print_result(&prepared.report().join("\n"));
                print_result(&format!("\n{}", plan.config.to_toml()));
            }
            return Ok::<_, RunError>(None);
        }
        let root = prepared.root().to_owned();
        Ok(Some((prepared.train()?, root)))
    })?;
    // None after a dry run.
    if let Some((summary, root)) = trained
        && is_first
    {
        print_summary(&summary, &root);
    }
    Ok(())
}

fn print_summary(summary: &Summary, root: &Path) {
    let before = summary.start();
    let percent = |value: Option<f64>| value.map_or("not measured".to_owned(), |value| format!("{value:.4}"));
    let floor = summary
        .loss_floor
        .map_or(String::new(), |floor| format!(" (floor {floor:.2})"));
    print_result(&format!(
        "linear top-1  {} ({before} {})\nkNN top-1     {} ({before} {})\nloss          {:.2}{floor}\n\
         time          {:.0} s, {:.0} images/s on {}\nreport        {}",
        percent(summary.linear_top1),
        percent(summary.untrained_linear_top1),
        percent(summary.knn_top1),
        percent(summary.untrained_knn_top1),
        summary.loss,
        summary.wall_seconds,
        summary.images_per_second,
        summary.backend,
        root.join("report.html").display()
    ));
}
