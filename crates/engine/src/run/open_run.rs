//! An open run: its folder is locked, and it can be trained.

use super::origin::OpenFolder;
use super::ready::{Experiment, Ready};
use super::{examples, portray, results};
use crate::backend::TrainBackend;
use crate::checkpoint::{Checkpoint, Progress};
use crate::config::{Change, Config, rule};
use crate::console::Console;
use crate::context::RunContext;
use crate::error::RunError;
use crate::files::{write_atomic, write_json};
use crate::metrics::{MetricsLog, MetricsSink, TensorBoard};
use crate::optim::Optimizer;
use crate::plan::loader_config;
use crate::program::Started;
use crate::summary::Summary;
use crate::training::{Phase, Profile, Standing, TrainBackbone, Trainer, TrainerParts};
use crate::weights::{HeadsFit, Weights};
use barlow_augment::Views;
use barlow_data::ViewLoader;
use barlow_model::{Model, initialize_with};
use burn::module::AutodiffModule;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// A run whose folder is locked, or a finished run.
pub struct OpenRun<'a, B: TrainBackend, M: TrainBackbone<B>>(State<'a, B, M>);

enum State<'a, B: TrainBackend, M: TrainBackbone<B>> {
    Finished(Box<Summary>, PathBuf, Arc<dyn Console>),
    Open(Box<Opened<'a, B, M>>),
}

struct Opened<'a, B: TrainBackend, M: TrainBackbone<B>> {
    context: RunContext,
    checkpoint: Option<Checkpoint>,
    /// Initial weights, and the parts of the heads that are loaded from them.
    weights: Option<(Weights, HeadsFit)>,
    experiment: Experiment<'a, B, M>,
}

/// Creates the folder of a new run or locks an existing one, and prints the plan.
///
/// # Errors
/// See [`PreparedRun::open`](super::PreparedRun::open).
pub(super) fn begin<'a, B: TrainBackend, M: TrainBackbone<B>>(
    ready: Ready<'a, B, M>,
) -> Result<OpenRun<'a, B, M>, RunError> {
    let Ready {
        plan,
        sources,
        origin,
        fit,
        label,
        console,
        stop,
        baselines,
        experiment,
    } = ready;
    if stop.is_set() {
        return Err(RunError::Interrupted(
            "interrupted before anything was written".to_owned(),
        ));
    }
    let OpenFolder {
        run,
        lock,
        weights,
        checkpoint,
        changed,
    } = origin.open(&plan, &sources, console.as_ref())?;
    let opened = Opened {
        context: RunContext {
            plan,
            sources,
            device: label,
            run,
            console,
            stop,
            baselines,
            _lock: lock,
        },
        checkpoint,
        weights: weights.zip(fit),
        experiment,
    };
    announce(
        &opened.context,
        opened.checkpoint.as_ref(),
        &changed,
        opened.weights.as_ref(),
    );
    Ok(OpenRun(State::Open(Box::new(opened))))
}

/// Prints the plan, the origin of the initial state, and warnings that the user should see before training starts.
fn announce(
    context: &RunContext,
    checkpoint: Option<&Checkpoint>,
    changed: &[Change],
    weights: Option<&(Weights, HeadsFit)>,
) {
    let RunContext {
        plan, sources, console, ..
    } = context;
    for line in plan.report(&context.device, context.run.root()) {
        console.line(&line);
    }
    if let Some(first) = &sources.skipped.first {
        let images = sources.skipped.count;
        let plural = if images == 1 { "" } else { "s" };
        console.warn(&format!("{images} image{plural} skipped; the first: {first}"));
    }
    if sources.left_out.is_worth_a_warning() {
        console.warn(&format!("skipped: {}", sources.left_out));
    }
    if let [only] = sources.classes.as_slice() {
        console.warn(&format!(
            "there is one class only ({only}), so accuracy is not measured; it needs two or more class folders"
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
    if let Some((weights, fit)) = weights {
        let loaded = fit.loaded.iter().map(|part| format!("; {part} loaded"));
        let new = fit.new.iter().map(|part| format!("; {part} newly initialised"));
        let heads: String = loaded.chain(new).collect();
        console.line(&format!("weights     from {}{heads}", weights.origin));
        fit.warnings.iter().for_each(|warning| console.warn(warning));
    }
}

impl<'a, B: TrainBackend, M: TrainBackbone<B>> OpenRun<'a, B, M> {
    pub(super) fn finished(summary: Summary, root: &Path, console: Arc<dyn Console>) -> Self {
        Self(State::Finished(Box::new(summary), root.to_owned(), console))
    }

    /// The run's folder.
    pub fn root(&self) -> &Path {
        match &self.0 {
            State::Finished(_, root, _) => root,
            State::Open(opened) => opened.context.run.root(),
        }
    }

    /// Trains the remaining steps, evaluates, and writes the results. Returns the stored summary if the run is already finished.
    ///
    /// # Errors
    /// - [`RunError::Usage`] if the views or the loader's settings are invalid
    /// - [`RunError::Interrupted`] if the run was asked to stop and has written a checkpoint
    /// - [`RunError::Failed`] otherwise; everything up to the last checkpoint is saved
    pub fn train(self) -> Result<Summary, RunError> {
        let opened = match self.0 {
            State::Finished(summary, root, console) => {
                console.line(&format!("{} is already finished; nothing to do", root.display()));
                return Ok(*summary);
            }
            State::Open(opened) => opened,
        };
        let profile = if opened.experiment.profile {
            let device = opened.experiment.device.clone();
            // The result is ignored: a device that has failed reports it again when the next value is read.
            Profile::new(move || drop(B::sync(&device)))
        } else {
            Profile::off()
        };
        train(*opened, &profile)
    }
}

fn train<B: TrainBackend, M: TrainBackbone<B>>(
    opened: Opened<'_, B, M>,
    profile: &Profile,
) -> Result<Summary, RunError> {
    let started = Instant::now();
    let Opened {
        context,
        checkpoint,
        weights,
        experiment,
    } = opened;
    let Experiment {
        device,
        model,
        initialise,
        method,
        sinks: more_sinks,
        ..
    } = experiment;
    let plan = &context.plan;
    let config = &plan.config;
    let views = Views::new(&plan.method.views, context.sources.normalization.clone()).map_err(RunError::usage)?;
    let loader = ViewLoader::new(context.sources.train.clone(), views, loader_config(config));
    let loader = loader.map_err(RunError::usage)?;
    let mut model = initialised(model, initialise, config);
    if let Some((weights, fit)) = &weights {
        model = weights.load(model, fit)?;
    }
    let is_new = checkpoint.is_none();
    let text = config.to_toml();
    // A changed config is saved in a checkpoint before the first step, as initial weights are: otherwise the next session could
    // not reconstruct the state that this one starts from.
    let changed = checkpoint
        .as_ref()
        .is_some_and(|checkpoint| checkpoint.progress.config != text);
    let rule = rule(config);
    let progress = match &checkpoint {
        Some(checkpoint) => checkpoint.progress.clone(),
        None => Progress {
            from: weights.as_ref().map(|(weights, _)| weights.origin.clone()),
            ..Progress::start(text.clone(), context.sources.images())
        },
    };
    let progress = Progress {
        // An accepted config change applies from this step on.
        config: text.clone(),
        method: Some(plan.method.identity()),
        optimizer: Some(rule.name().to_owned()),
        ..progress
    };
    if is_new {
        write_json(&context.run.data(), &context.sources.summary())?;
        write_json(&context.run.report_data("started.json"), &Started::now(&plan.recipe))?;
        examples::save(&context)?;
        if config.eval.untrained {
            let network = model.valid();
            let name = portray::name_of_start(progress.from.as_deref());
            portray::save_correlation::<B, M>(&context, name, &network, &device)?;
        }
    }
    let step = progress.step;
    let log = MetricsLog::open(&context.run.metrics(), step, step == plan.schedule.total_steps)?;
    let board = TensorBoard::create(&context.run.tensorboard(), step)?;
    let mut sinks: Vec<Box<dyn MetricsSink>> = vec![Box::new(log), Box::new(board)];
    sinks.extend(more_sinks);
    let mut trainer = Trainer::new(TrainerParts {
        context: &context,
        profile,
        device: device.clone(),
        model,
        method,
        optimizer: Optimizer::new(rule).with_rules(plan.method.rules.clone()),
        loader,
        sinks,
        progress,
        report: Box::new(report_writer(&context)),
        started,
    });
    if let Some(checkpoint) = checkpoint {
        trainer.restore(&checkpoint)?;
    }
    if changed || weights.is_some() {
        trainer.save(false)?;
    }
    if weights.is_some() {
        // `config.toml` makes the folder resumable. If it were written before the checkpoint, a run killed in between would
        // resume from newly initialised weights.
        write_atomic(&context.run.config(), text.as_bytes())?;
    }
    let measured = if step == 0 && config.eval.untrained {
        trainer.measure_untrained()
    } else {
        Ok(())
    };
    let outcome = measured.and_then(|()| trainer.run());
    context.console.finish();
    let steps = trainer.steps() - step;
    let outcome = outcome.and_then(|()| {
        let finished = trainer.finish()?;
        Ok(profile.time(Phase::Monitors, || results::write(&context, &finished, &device))?)
    });
    // Printed for an interrupted or failed run, too.
    for line in profile.table(steps) {
        context.console.asked(&line);
    }
    outcome
}

/// Returns a callback that writes the report of the run so far, and prints its path the first time. A failure to write is a
/// warning and does not stop the run.
fn report_writer(context: &RunContext) -> impl FnMut(&Standing) {
    let mut written = false;
    move |standing| {
        let path = context.run.report();
        match results::write_report_so_far(context, standing) {
            Ok(()) if written => {}
            Ok(()) => {
                let text = "updated during the run";
                context
                    .console
                    .line(&format!("report      {} ({text})", path.display()));
                written = true;
            }
            Err(error) => context.console.warn(&format!("cannot write the report: {error:#}")),
        }
    }
}

/// Initialises the weights from the config's seed; those of the backbone only if `initialise` is set.
fn initialised<B: TrainBackend, M: TrainBackbone<B>>(
    model: Model<B, M>,
    initialise: bool,
    config: &Config,
) -> Model<B, M> {
    let given = (!initialise).then(|| model.backbone.clone());
    let mut model = initialize_with(model, config.run.seed, config.model.conv_init);
    if let Some(backbone) = given {
        model.backbone = backbone;
    }
    model
}
