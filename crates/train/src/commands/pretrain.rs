//! `pretrain`: prints what will be done, and does it.

use crate::console::{Terminal, print_result};
use barlow_engine::backend::TrainBackend;
use barlow_engine::config::Config;
use barlow_engine::error::RunError;
use barlow_engine::run::{Run, RunOrigin};
use barlow_engine::stop::StopFlag;
use barlow_engine::summary::Summary;
use barlow_train::device::{OnBackend, Selected, on_backend};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to do.
pub struct Request {
    /// Name of the recipe.
    pub recipe: String,
    /// The config, validated.
    pub config: Config,
    /// The device.
    pub selected: Selected,
    /// A new run or an old one.
    pub origin: RunOrigin,
    /// Print what would be done, and do nothing.
    pub dry_run: bool,
    /// Print at the end where the time went.
    pub profile: bool,
}

/// Runs the request and prints the result.
///
/// # Errors
/// [`RunError`], each one line.
pub fn run(request: Request, console: Terminal, stop: StopFlag) -> Result<(), RunError> {
    let selected = request.selected.clone();
    let work = Pretrain {
        request,
        console: Arc::new(console),
        stop,
    };
    if let Some((summary, root)) = on_backend(&selected, work)? {
        print_summary(&summary, &root);
    }
    Ok(())
}

struct Pretrain {
    request: Request,
    console: Arc<Terminal>,
    stop: StopFlag,
}

impl OnBackend for Pretrain {
    /// None after a dry run.
    type Output = Result<Option<(Summary, PathBuf)>, RunError>;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Self::Output {
        let Request {
            recipe,
            config,
            selected,
            origin,
            dry_run,
            profile,
        } = self.request;
        let prepared = Run::builder::<B>(config, device.clone())
            .recipe(recipe)
            .label(selected.label())
            .origin(origin)
            .console(self.console)
            .stop(self.stop)
            .profile(profile)
            .dry_run(dry_run)
            .prepare()?;
        if dry_run && let Some(plan) = prepared.plan() {
            print_result(&prepared.report().join("\n"));
            print_result(&format!("\n{}", plan.config.to_toml()));
            return Ok(None);
        }
        let root = prepared.root().to_owned();
        Ok(Some((prepared.open()?.train()?, root)))
    }
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
