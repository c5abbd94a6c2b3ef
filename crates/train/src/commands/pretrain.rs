//! `pretrain`: opens the images, says what will be done, and does it.

use super::resume;
use barlow_augment::Normalization;
use barlow_model::{BarlowTwinsModelConfig, parameter_count};
use barlow_train::backend::{OnBackend, Selected, TrainBackend, on_backend};
use barlow_train::checkpoint::{Checkpoint, Damaged};
use barlow_train::config::{Config, Normalize, NormalizeName, changes};
use barlow_train::console::{Console, print_result};
use barlow_train::error::AppError;
use barlow_train::memory;
use barlow_train::plan::{ImageCounts, Parameters, Plan};
use barlow_train::pretrain::{Job, pretrain};
use barlow_train::run_dir::{RunDir, write_atomic};
use barlow_train::sources;
use barlow_train::stop::StopFlag;
use barlow_train::summary::Summary;
use barlow_train::weights::Weights;
use std::path::PathBuf;

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

/// A new run or an old one.
pub enum Start {
    /// A new run.
    New {
        /// Its folder.
        root: PathBuf,
        /// Weights to start from, with the checkpoints that were damaged.
        weights: Option<(Weights, Vec<Damaged>)>,
    },
    /// A run that was started before.
    Resume {
        /// The run.
        run: RunDir,
        /// Its `config.toml`.
        stored: Box<Config>,
        /// Go on although the config differs.
        accept_changes: bool,
    },
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
    // Before a large data set is read.
    match &start {
        Start::New { root, .. } => RunDir::check_free(root).map_err(AppError::usage)?,
        Start::Resume {
            run,
            stored,
            accept_changes,
        } => {
            let changed = resume::check_changes(run, stored, &config, *accept_changes)?;
            if changed.is_empty()
                && let Some(summary) = finished(run)
            {
                console.line(&format!("{} is finished already; nothing to do", run.root().display()));
                print_summary(&summary, run);
                return Ok(());
            }
        }
    }
    let mut config = sources::settle(config).map_err(AppError::usage)?;
    let sources = sources::open(&config, !dry_run, &|line| console.line(line)).map_err(AppError::usage)?;
    if let Normalize::Named(NormalizeName::Data) = config.data.normalize {
        // Later evaluations on other images must see pixels as this network was trained on them.
        let Normalization { mean, std } = sources.normalization.clone();
        config.data.normalize = Normalize::Given { mean, std };
    }
    let (train, test) = (sources.train.len(), sources.test.as_ref().map_or(0, |test| test.len()));
    check_batch(config.train.batch_size, train)?;
    let workers = config.data.workers.unwrap_or_else(rayon::current_num_threads);
    let weights = match &start {
        Start::New { weights, .. } => weights.as_ref().map(|(weights, _)| weights),
        Start::Resume { .. } => None,
    };
    let measure = Measure {
        model: config.model_config(),
        weights,
    };
    let (parameters, largest_buffer, has_projector) = on_backend(&selected, measure).map_err(AppError::Usage)?;
    let images = ImageCounts {
        train,
        test,
        classes: sources.classes.len(),
        format: sources.format,
    };
    let plan = Plan::new(recipe, config, images, parameters, largest_buffer);
    let root = match &start {
        Start::New { root, .. } => root.clone(),
        Start::Resume { run, .. } => run.root().to_owned(),
    };
    if dry_run {
        print_result(&plan.report(&selected, workers, Some(&root)).join("\n"));
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
    let mut changed = Vec::new();
    let (run, lock, checkpoint, weights) = match start {
        Start::New { root, weights } => {
            let run = RunDir::create(&root).map_err(AppError::usage)?;
            let lock = run.lock().map_err(AppError::usage)?;
            if weights.is_none() {
                write_atomic(&run.config(), plan.config.to_toml().as_bytes())?;
            }
            let weights = weights.map(|(weights, damaged)| {
                damaged
                    .iter()
                    .for_each(|Damaged { error, .. }| console.warn(&format!("{error:#}")));
                weights
            });
            (run, lock, None, weights)
        }
        Start::Resume {
            run,
            stored,
            accept_changes,
        } => {
            let lock = run.lock().map_err(AppError::usage)?;
            let mut kept = Checkpoint::newest(&run)?;
            changed = match &kept.checkpoint {
                Some(checkpoint) => {
                    resume::check_images(checkpoint, &sources.images())?;
                    resume::check_length(checkpoint, &plan)?;
                    resume::check_changes_since(&run, checkpoint, &plan.config, accept_changes)?
                }
                None => changes(&stored, &plan.config),
            };
            kept.set_aside()?.iter().for_each(|line| console.warn(line));
            if !changed.is_empty() {
                // The results of before are not this config's: the run is not finished any more.
                run.remove_results()?;
                write_atomic(&run.config(), plan.config.to_toml().as_bytes())?;
            }
            (run, lock, kept.checkpoint, None)
        }
    };
    for line in plan.report(&selected, workers, Some(run.root())) {
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
    if let Some(checkpoint) = &checkpoint {
        console.line(&format!(
            "resume      at step {} of {}",
            checkpoint.progress.step, plan.schedule.total_steps
        ));
    }
    for change in &changed {
        console.line(&format!("changed     {change}"));
    }
    if let Some(weights) = &weights {
        let projector = if has_projector {
            "projector too"
        } else {
            "a new projector"
        };
        console.line(&format!("weights     from {}; {projector}", weights.origin));
    }
    let selected_for_work = selected.clone();
    let job = Job {
        plan,
        sources,
        selected,
        workers,
        run,
        weights,
        console,
        stop,
        profile,
    };
    let summary = on_backend(&selected_for_work, Work { job: &job, checkpoint })?;
    print_summary(&summary, &job.run);
    drop(lock);
    Ok(())
}

struct Work<'a> {
    job: &'a Job,
    checkpoint: Option<Checkpoint>,
}

impl OnBackend for Work<'_> {
    type Output = Result<Summary, AppError>;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Self::Output {
        pretrain::<B>(self.job, device, self.checkpoint, Vec::new())
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
        let fitted = self.weights.map(|weights| weights.load(model)).transpose()?;
        let has_projector = fitted.is_some_and(|(_, has_projector)| has_projector);
        Ok((parameters, B::largest_buffer(device), has_projector))
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

fn finished(run: &RunDir) -> Option<Summary> {
    let text = std::fs::read_to_string(run.summary()).ok()?;
    let complete = run.report().is_file() && run.backbone().is_file();
    complete.then(|| serde_json::from_str(&text).ok())?
}

fn print_summary(summary: &Summary, run: &RunDir) {
    let percent = |value: Option<f64>| value.map_or("not measured".to_owned(), |value| format!("{value:.4}"));
    let floor = summary
        .loss_floor
        .map_or(String::new(), |floor| format!(" (floor {floor:.2})"));
    print_result(&format!(
        "linear top-1  {} (untrained {})\nkNN top-1     {} (untrained {})\nloss          {:.2}{floor}\n\
         time          {:.0} s, {:.0} images/s on {}\nreport        {}",
        percent(summary.linear_top1),
        percent(summary.untrained_linear_top1),
        percent(summary.knn_top1),
        percent(summary.untrained_knn_top1),
        summary.loss,
        summary.wall_seconds,
        summary.images_per_second,
        summary.backend,
        run.report().display()
    ));
}
