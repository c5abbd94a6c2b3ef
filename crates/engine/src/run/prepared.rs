//! A prepared run: its config is resolved, its images are open and its plan is made; its folder is untouched.

use super::builder::RunBuilder;
use super::open_run::{OpenRun, begin};
use super::origin::RunOrigin;
use super::ready::{Experiment, Ready};
use crate::backend::TrainBackend;
use crate::config::SyncNorm;
use crate::config::{Config, ResolvedConfig};
use crate::console::{Console, SilentConsole};
use crate::error::RunError;
use crate::host_memory;
use crate::method::MethodSpec;
use crate::plan::{Parameters, Plan};
use crate::ranks::Ranks;
use crate::run_dir::default_root;
use crate::sources;
use crate::summary::Summary;
use crate::training::TrainBackbone;
use barlow_model::{Model, check_names, named_shapes, parameter_count};
use std::path::Path;
use std::sync::Arc;

/// A run whose plan is made and whose folder is untouched, or a finished run.
pub struct PreparedRun<'a, B: TrainBackend, M: TrainBackbone<B>>(State<'a, B, M>);

enum State<'a, B: TrainBackend, M: TrainBackbone<B>> {
    /// The run is finished: nothing is left to do.
    Finished(Box<Summary>, RunOrigin, Arc<dyn Console>),
    /// The run can be opened.
    Ready(Box<Ready<'a, B, M>>),
}

impl<'a, B: TrainBackend, M: TrainBackbone<B>> PreparedRun<'a, B, M> {
    /// The summary, if the run is already finished.
    pub fn finished(&self) -> Option<&Summary> {
        match &self.0 {
            State::Finished(summary, ..) => Some(summary),
            State::Ready(_) => None,
        }
    }

    /// The run's folder.
    pub fn root(&self) -> &Path {
        match &self.0 {
            State::Finished(_, origin, _) => origin.root(),
            State::Ready(ready) => ready.origin.root(),
        }
    }

    /// The plan; `None` if the run is finished.
    pub fn plan(&self) -> Option<&Plan> {
        match &self.0 {
            State::Finished(..) => None,
            State::Ready(ready) => Some(&ready.plan),
        }
    }

    /// The lines of the printed plan, with the device and the run's folder; empty if the run is finished.
    pub fn report(&self) -> Vec<String> {
        match &self.0 {
            State::Finished(..) => Vec::new(),
            State::Ready(ready) => ready.plan.report(&ready.label, ready.origin.root()),
        }
    }

    /// Creates the folder of a new run, or locks that of an existing one and reads its newest usable checkpoint.
    ///
    /// # Errors
    /// - [`RunError::Usage`] if the folder is taken, locked by another process or not writable, or if images, schedule, method or
    ///   config are not compatible with the checkpoint
    /// - [`RunError::Failed`] if a file cannot be read or written, or no checkpoint is usable
    /// - [`RunError::Interrupted`] if the run was asked to stop before it was opened
    pub fn open(self) -> Result<OpenRun<'a, B, M>, RunError> {
        match self.0 {
            State::Finished(summary, origin, console) => Ok(OpenRun::finished(*summary, origin.root(), console)),
            State::Ready(ready) => begin(*ready),
        }
    }
}

impl<'a, B: TrainBackend, M: TrainBackbone<B>> RunBuilder<'a, B, M> {
    /// Resolves the config, opens the images and makes the plan. Writes nothing to the run's folder, but may write to the
    /// user's cache folder unless [`dry_run`](Self::dry_run) is set.
    ///
    /// # Errors
    /// [`RunError::Usage`] if the config is invalid, the run cannot start or resume in its folder with this config, the images
    /// cannot be opened or do not fill a batch, the backbone or the initial weights do not match the config, or the run does
    /// not fit this machine's memory or the device's buffers; [`RunError::OnAnotherRank`] if that is so on another rank.
    pub fn prepare(mut self) -> Result<PreparedRun<'a, B, M>, RunError> {
        let ranks = Ranks::new(self.group.clone(), SyncNorm::None, 0);
        if !ranks.is_first() {
            self.console = Arc::new(SilentConsole);
        }
        ranks.caught(|| ranks.agreed(self.prepare_here()))
    }

    fn prepare_here(mut self) -> Result<PreparedRun<'a, B, M>, RunError> {
        self.config.validate().map_err(RunError::usage)?;
        let origin = match (self.origin.take(), self.out.take()) {
            (Some(origin), _) => origin,
            (None, Some(root)) => RunOrigin::at(&root)?,
            (None, None) => RunOrigin::at(&default_root(&self.recipe))?,
        };
        prepare(self, origin)
    }

    /// [`prepare`](Self::prepare), then [`PreparedRun::open`].
    ///
    /// # Errors
    /// The errors of both.
    pub fn open(self) -> Result<OpenRun<'a, B, M>, RunError> {
        self.prepare()?.open()
    }
}

/// [`RunBuilder::prepare`] of a validated config and a known origin.
fn prepare<'a, B: TrainBackend, M: TrainBackbone<B>>(
    builder: RunBuilder<'a, B, M>,
    origin: RunOrigin,
) -> Result<PreparedRun<'a, B, M>, RunError> {
    let RunBuilder {
        config,
        device,
        recipe,
        label,
        images,
        backbone,
        initialise,
        method,
        sinks,
        console,
        stop,
        profile,
        dry_run,
        baselines,
        group,
        ..
    } = builder;
    let mut config = ResolvedConfig::new(config);
    if images.is_none() {
        config = config.with_data_located().map_err(RunError::usage)?;
    }
    if let Some(stored) = origin.stored() {
        // The stored config has computed statistics as numbers: without them `data.normalize = "data"` would count as a change.
        config = config.with_statistics_of(stored);
    }
    // Before the images are opened, which may take minutes for a large data set.
    if let Some(summary) = origin.finished(&config, group.place().is_first())? {
        return Ok(PreparedRun(State::Finished(Box::new(summary), origin, console)));
    }
    let sources = match images {
        Some(images) => images,
        None => sources::open(&config, !dry_run, &|line| console.line(line)).map_err(RunError::usage)?,
    };
    let config = config.with_statistics(&sources.normalization);
    check_batch(config.train.batch_size, sources.counts().train)?;
    check_ranks(config.train.batch_size, group.place().size)?;
    let largest_buffer = B::largest_buffer(&device);
    let method = method(&config, &config.method_inputs(largest_buffer));
    if group.place().size > 1 && method.spec().whole_set_scores.is_some() {
        return Err(RunError::usage(format!(
            "{} needs passes over the whole training set, which one process makes; run it without mpirun",
            method.spec().kind
        )));
    }
    if method.spec().uses_labels {
        check_labels(method.spec(), sources.counts().classes)?;
    }
    let backbone = backbone(&config, &device).map_err(RunError::usage)?;
    check_backbone::<B, M>(&config, &backbone, &device).map_err(RunError::usage)?;
    let model = Model::new(backbone, &method.spec().heads, &device);
    check_names(&model).map_err(RunError::usage)?;
    // A mismatch is reported before anything is written.
    let fit = origin
        .weights()
        .map(|weights| weights.fit(&model))
        .transpose()
        .map_err(RunError::Usage)?;
    let parameters = Parameters {
        backbone: parameter_count(&model.backbone),
        heads: parameter_count(&model.heads),
    };
    let about = (method.spec().clone(), method.outlook().clone());
    let plan = Plan::new(recipe, config, about, sources.counts(), parameters, largest_buffer);
    let plan = plan.map_err(RunError::usage)?;
    plan.check_buffers().map_err(RunError::usage)?;
    // The plan's memory is that of the whole batch.
    let is_alone = group.place().size == 1;
    if !dry_run
        && is_alone
        && let Some(available) = host_memory::physical()
    {
        let on_host = label.backend == "cpu";
        plan.memory().check(available, on_host).map_err(RunError::usage)?;
    }
    Ok(PreparedRun(State::Ready(Box::new(Ready {
        plan,
        sources,
        origin,
        fit,
        label,
        console,
        stop,
        baselines,
        group,
        experiment: Experiment {
            device,
            model,
            initialise,
            method,
            sinks,
            profile,
        },
    }))))
}

/// Checks that the config names a custom backbone as such: for any other, other commands rebuild the network from the stored
/// config, and it must be the one that was trained.
fn check_backbone<B: TrainBackend, M: TrainBackbone<B>>(
    config: &Config,
    backbone: &M,
    device: &B::Device,
) -> Result<(), String> {
    match config.backbone() {
        Ok(named) if named_shapes(&named.init::<B>(device)) != named_shapes(backbone) => {
            Err("the backbone differs from the one configured in [model]; set model.backbone to \"custom\"".to_owned())
        }
        _ => Ok(()),
    }
}

/// Checks that a method that learns from labels has an output for each class.
fn check_labels(spec: &MethodSpec, classes: usize) -> Result<(), RunError> {
    let (kind, width) = (&spec.kind, spec.heads.embedding_width());
    if classes < 2 {
        return Err(RunError::usage(format!(
            "{kind} learns from labels, and the images have none, or one class only; pass --data DIR"
        )));
    }
    if width != classes {
        return Err(RunError::usage(format!(
            "{kind} needs an output for each of the {classes} classes, and model.projector ends with {width}; set \
             model.projector to \"{classes}\""
        )));
    }
    Ok(())
}

/// Checks that every rank has an image of each batch.
fn check_ranks(batch_size: usize, ranks: usize) -> Result<(), RunError> {
    if ranks <= batch_size {
        return Ok(());
    }
    Err(RunError::usage(format!(
        "there are {ranks} ranks and train.batch_size is {batch_size}, so that some have no image; start fewer ranks"
    )))
}

/// Checks that an epoch has at least one step, which [`Plan::new`] requires: incomplete batches are dropped.
fn check_batch(batch_size: usize, images: usize) -> Result<(), RunError> {
    if batch_size <= images {
        return Ok(());
    }
    Err(RunError::usage(format!(
        "train.batch_size is {batch_size} and there are only {images} training images; pass a smaller --batch-size"
    )))
}
