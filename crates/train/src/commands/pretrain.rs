//! `pretrain`: opens the images, says what will be done, and does it.

use barlow_augment::Normalization;
use barlow_model::{BarlowTwinsModelConfig, parameter_count};
use barlow_train::backend::{OnBackend, Selected, TrainBackend, on_backend};
use barlow_train::checkpoint::Checkpoint;
use barlow_train::config::{Change, Config, Normalize, NormalizeName};
use barlow_train::console::{Console, print_result};
use barlow_train::error::AppError;
use barlow_train::memory;
use barlow_train::plan::{Parameters, Plan};
use barlow_train::pretrain::{Job, Parts, Start, pretrain};
use barlow_train::sources;
use barlow_train::stop::StopFlag;
use barlow_train::summary::Summary;
use barlow_train::weights::Weights;
use std::path::Path;

/// What to do.
pub struct Request {
    /// Name of the recipe.
    pub recipe: String,
    /// The resolved config.
    pub config: Config,
    /// The device.
    pub selected: Selected,
    /// A new run or an old one.
    pub start: Start,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// Tell at the end where the time went.
    pub profile: bool,
}

/// Runs the request and prints the result.
///
/// # Errors
/// [`AppError`], each one line.
pub fn run(request: Request, console: Console, stop: StopFlag) -> Result<(), AppError> {
    let Request {
        recipe,
        config,
        selected,
        start,
        dry_run,
        profile,
    } = request;
    if let Some(summary) = start.finished(&config)? {
        let root = start.root();
        console.line(&format!("{} is finished already; nothing to do", root.display()));
        print_summary(&summary, root);
        return Ok(());
    }
    let mut config = sources::settle(config).map_err(AppError::usage)?;
    let sources = sources::open(&config, !dry_run, &|line| console.line(line)).map_err(AppError::usage)?;
    if let Normalize::Named(NormalizeName::Data) = config.data.normalize {
        // Later evaluations on other images must see pixels as this network was trained on them.
        let Normalization { mean, std } = sources.normalization.clone();
        config.data.normalize = Normalize::Given { mean, std };
    }
    let images = sources.counts();
    check_batch(config.train.batch_size, images.train)?;
    let workers = config.data.workers();
    let measure = Measure {
        model: config.model_config().map_err(AppError::usage)?,
        weights: start.weights(),
    };
    let (parameters, largest_buffer, has_projector) = on_backend(&selected, measure).map_err(AppError::Usage)?;
    let plan = Plan::new(recipe, config, images, parameters, largest_buffer);
    plan.check_buffers().map_err(AppError::usage)?;
    if dry_run {
        print_result(&plan.report(&selected, workers, Some(start.root())).join("\n"));
        print_result(&format!("\n{}", plan.config.to_toml()));
        return Ok(());
    }
    if selected.backend == "cpu"
        && let Some(available) = memory::physical()
    {
        plan.memory().check(available).map_err(AppError::usage)?;
    }
    if stop.is_set() {
        return Err(AppError::Interrupted(
            "interrupted before anything was written".to_owned(),
        ));
    }
    let opened = start.open(&plan, &sources, &console)?;
    let changed = opened.changed.clone();
    let (mut job, checkpoint) = Job::new(plan, sources, selected, opened);
    job.console = console;
    job.stop = stop;
    job.profile = profile;
    say(&job, checkpoint.as_ref(), &changed, has_projector);
    let summary = on_backend(&job.selected, Work { job: &job, checkpoint })?;
    print_summary(&summary, job.run.root());
    Ok(())
}

/// What will be done, and what the person should know before it is.
fn say(job: &Job, checkpoint: Option<&Checkpoint>, changed: &[Change], has_projector: bool) {
    let Job {
        plan, sources, console, ..
    } = job;
    for line in plan.report(&job.selected, job.workers, Some(job.run.root())) {
        console.line(&line);
    }
    if let Some(first) = &sources.skipped.first {
        console.warn(&format!(
            "{} left out; the first: {first}",
            counted(sources.skipped.count)
        ));
    }
    if let [only] = sources.classes.as_slice() {
        console.warn(&format!(
            "there is one class only ({only}), so accuracy is not measured; it needs a folder for each of two or more"
        ));
    }
    if let Some(checkpoint) = checkpoint {
        console.line(&format!(
            "resume      at step {} of {}",
            checkpoint.progress.step, plan.schedule.total_steps
        ));
    }
    for change in changed {
        console.line(&format!("changed     {change}"));
    }
    if let Some(weights) = &job.weights {
        let projector = if has_projector {
            "projector too"
        } else {
            "a new projector"
        };
        console.line(&format!("weights     from {}; {projector}", weights.origin));
    }
}

struct Work<'a> {
    job: &'a Job,
    checkpoint: Option<Checkpoint>,
}

impl OnBackend for Work<'_> {
    type Output = Result<Summary, AppError>;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Self::Output {
        let parts = Parts::<B>::of_config(&self.job.plan.config, device).map_err(AppError::usage)?;
        pretrain(self.job, device, parts, self.checkpoint)
    }
}

/// The network's size, the device's limit, and whether the weights to start from have its projector. Allocates no weights of its
/// own, which exist when they are first used, but the norms'.
struct Measure<'a> {
    model: BarlowTwinsModelConfig,
    weights: Option<&'a Weights>,
}

impl OnBackend for Measure<'_> {
    type Output = anyhow::Result<(Parameters, Option<u64>, bool)>;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Self::Output {
        let model = self.model.init_zeros::<B>(device);
        let parameters = Parameters {
            backbone: parameter_count(&model.backbone),
            projector: parameter_count(&model.projector),
        };
        // Before anything is written.
        let has_projector = self.weights.map(|weights| weights.fit(&model)).transpose()?;
        Ok((parameters, B::largest_buffer(device), has_projector.unwrap_or(false)))
    }
}

/// Checked before a plan is made: an epoch without a whole batch would have no steps.
fn check_batch(batch_size: usize, images: usize) -> Result<(), AppError> {
    if batch_size <= images {
        return Ok(());
    }
    Err(AppError::usage(format!(
        "train.batch_size is {batch_size} and there are only {images} training images; pass a smaller --batch-size"
    )))
}

fn counted(images: usize) -> String {
    format!("{images} image{}", if images == 1 { "" } else { "s" })
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
