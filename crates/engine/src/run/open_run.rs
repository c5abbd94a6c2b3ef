//! An open run: its folder is locked, and it can be trained.

use super::RunOrigin;
use super::origin::OpenFolder;
use super::ready::{Experiment, Ready};
use super::{examples, portray, results};
use crate::backend::TrainBackend;
use crate::checkpoint::{Checkpoint, Progress};
use crate::config::{Change, Config, SyncNorm, flat, rule};
use crate::console::Console;
use crate::context::RunContext;
use crate::error::RunError;
use crate::files::{write_atomic, write_json};
use crate::metrics::{MetricsLog, MetricsSink, TensorBoard};
use crate::optim::Optimizer;
use crate::plan::{Plan, loader_config};
use crate::program::Started;
use crate::ranks::Ranks;
use crate::sources::Sources;
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
    ranks: Ranks,
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
    let train = &ready.plan.config.train;
    let ranks = Ranks::new(ready.group.clone(), train.sync_norm, train.batch_size);
    ranks.caught(|| begin_together(ready, &ranks))
}

fn begin_together<'a, B: TrainBackend, M: TrainBackbone<B>>(
    ready: Ready<'a, B, M>,
    ranks: &Ranks,
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
        group: _,
        experiment,
    } = ready;
    let [stopping] = ranks.count([stop.is_set()]);
    if stopping > 0 {
        let interrupted = RunError::Interrupted("interrupted before anything was written".to_owned());
        return Err(match ranks.is_first() {
            true => interrupted,
            false => RunError::OnAnotherRank(Box::new(interrupted)),
        });
    }
    let identity = (flat(&plan.config), env!("CARGO_PKG_VERSION"), sources.images());
    check_equal(&format!("{identity:?}"), ranks)?;
    let OpenFolder {
        run,
        lock,
        weights,
        checkpoint,
        changed,
    } = open_folder(origin, &plan, &sources, console.as_ref(), ranks)?;
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
        ranks: ranks.clone(),
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
    if !ranks.is_alone() {
        let place = ranks.group().place();
        let (size, sync) = (place.size, opened.context.plan.config.train.sync_norm);
        opened.context.console.line(&format!(
            "ranks       {size}, {} on {}; batch norm over {}",
            place.local_size,
            place.host,
            match sync {
                SyncNorm::All => "all of them",
                SyncNorm::Node => "those of a node",
                SyncNorm::None => "the images of each",
            }
        ));
    }
    Ok(OpenRun(State::Open(Box::new(opened))))
}

/// Checks that all ranks have the config, the program and the images of rank 0.
fn check_equal(own: &str, ranks: &Ranks) -> Result<(), RunError> {
    let first = ranks.of_first(own.as_bytes().to_vec());
    let place = ranks.group().place();
    ranks.agreed(if first == own.as_bytes() {
        Ok(())
    } else {
        Err(RunError::usage(format!(
            "[{place}] this rank has another config, other images or another version of the program than rank 0; start all ranks with the \
             same files"
        )))
    })
}

/// [`RunOrigin::open`] by rank 0; the others get what the run starts from.
fn open_folder(
    origin: RunOrigin,
    plan: &Plan,
    sources: &Sources,
    console: &dyn Console,
    ranks: &Ranks,
) -> Result<OpenFolder, RunError> {
    if ranks.is_alone() {
        return origin.open(plan, sources, console);
    }
    if ranks.is_first() {
        let mut folder = None;
        ranks.on_first(
            || {
                let opened = folder.insert(origin.open(plan, sources, console)?);
                let checkpoint = opened.checkpoint.clone().map(Checkpoint::into_bytes).transpose()?;
                Ok(Start {
                    root: opened.run.root().to_owned(),
                    checkpoint,
                })
            },
            Start::to_bytes,
            Start::of_bytes,
        )?;
        return Ok(folder.expect("opened above"));
    }
    let Start { root, checkpoint } = ranks.on_first(|| Ok(Start::default()), Start::to_bytes, Start::of_bytes)?;
    let checkpoint = checkpoint.map(|bytes| Checkpoint::of_bytes(&bytes)).transpose()?;
    Ok(origin.join(&root, checkpoint))
}

/// What rank 0 tells the others of the folder.
#[derive(Default)]
struct Start {
    root: PathBuf,
    checkpoint: Option<Vec<u8>>,
}

impl Start {
    /// The length of the path, the path, and the checkpoint.
    fn to_bytes(&self) -> Vec<u8> {
        let root = self.root.to_string_lossy();
        let mut bytes = (root.len() as u64).to_le_bytes().to_vec();
        bytes.extend(root.as_bytes());
        bytes.extend(self.checkpoint.iter().flatten());
        bytes
    }

    fn of_bytes(bytes: &[u8]) -> Self {
        let Some((length, rest)) = bytes.split_first_chunk() else {
            return Self::default();
        };
        let (root, checkpoint) = rest.split_at(rest.len().min(u64::from_le_bytes(*length) as usize));
        Self {
            root: PathBuf::from(String::from_utf8_lossy(root).into_owned()),
            checkpoint: (!checkpoint.is_empty()).then(|| checkpoint.to_vec()),
        }
    }
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
        let ranks = opened.ranks.clone();
        ranks.caught(|| train(*opened, &profile))
    }
}

fn train<B: TrainBackend, M: TrainBackbone<B>>(
    opened: Opened<'_, B, M>,
    profile: &Profile,
) -> Result<Summary, RunError> {
    let started = Instant::now();
    let Opened {
        context,
        ranks,
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
    let mut loader = loader.map_err(RunError::usage)?;
    // Derived views are computed from the whole batch.
    if plan.method.derived.is_empty() {
        let place = ranks.group().place();
        loader = loader.with_share(place.rank, place.size);
    }
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
    let step = progress.step;
    let mut sinks: Vec<Box<dyn MetricsSink>> = Vec::new();
    ranks.decided_by_first(|| {
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
        let log = MetricsLog::open(&context.run.metrics(), step, step == plan.schedule.total_steps)?;
        sinks.push(Box::new(log));
        sinks.push(Box::new(TensorBoard::create(&context.run.tensorboard(), step)?));
        sinks.extend(more_sinks);
        Ok(true)
    })?;
    let report: Box<dyn FnMut(&Standing)> = match ranks.is_first() {
        true => Box::new(report_writer(&context)),
        false => Box::new(|_| {}),
    };
    let mut trainer = Trainer::new(TrainerParts {
        context: &context,
        profile,
        ranks: ranks.clone(),
        device: device.clone(),
        model,
        method,
        optimizer: Optimizer::new(rule).with_rules(plan.method.rules.clone()),
        loader,
        sinks,
        progress,
        report,
        started,
    });
    if let Some(checkpoint) = checkpoint {
        ranks.agreed(trainer.restore(&checkpoint).map_err(RunError::Failed))?;
    }
    if changed || weights.is_some() {
        trainer.save(false)?;
    }
    if weights.is_some() {
        // `config.toml` makes the folder resumable. If it were written before the checkpoint, a run killed in between would
        // resume from newly initialised weights.
        ranks.decided_by_first(|| {
            write_atomic(&context.run.config(), text.as_bytes())?;
            Ok(true)
        })?;
    }
    let measured = if step == 0 && config.eval.untrained {
        ranks.decided_by_first(|| {
            trainer.measure_untrained()?;
            Ok(true)
        })
    } else {
        Ok(true)
    };
    let outcome = measured.and_then(|_| trainer.run());
    context.console.finish();
    let steps = trainer.steps() - step;
    let outcome = outcome.and_then(|()| {
        let work = || {
            let finished = trainer.finish()?;
            let summary = profile.time(Phase::Monitors, || results::write(&context, &finished, &device))?;
            Ok(Some(summary))
        };
        let encode = |summary: &Option<Summary>| serde_json::to_vec(summary).unwrap_or_default();
        let summary = ranks.on_first(work, encode, |bytes| serde_json::from_slice(bytes).unwrap_or_default())?;
        summary.ok_or_else(|| RunError::Failed(anyhow::anyhow!("rank 0 has no summary")))
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
