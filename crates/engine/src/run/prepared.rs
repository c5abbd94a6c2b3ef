//! A run whose plan is made and whose folder is untouched.

use super::builder::RunBuilder;
use super::open_run::{OpenRun, begin};
use super::origin::RunOrigin;
use super::ready::{Experiment, Ready};
use crate::backend::TrainBackend;
use crate::config::{Config, ResolvedConfig};
use crate::console::Console;
use crate::error::RunError;
use crate::host_memory;
use crate::plan::{Parameters, Plan};
use crate::run_dir::default_root;
use crate::sources;
use crate::summary::Summary;
use crate::training::TrainBackbone;
use barlow_model::{Model, check_names, named_shapes, parameter_count};
use std::path::Path;
use std::sync::Arc;

/// A run whose plan is made and whose folder is untouched.
pub struct PreparedRun<'a, B: TrainBackend, M: TrainBackbone<B>>(State<'a, B, M>);

enum State<'a, B: TrainBackend, M: TrainBackbone<B>> {
    /// Nothing is left to do.
    Finished(Box<Summary>, RunOrigin, Arc<dyn Console>),
    /// To be opened.
    Ready(Box<Ready<'a, B, M>>),
}

impl<'a, B: TrainBackend, M: TrainBackbone<B>> PreparedRun<'a, B, M> {
    /// The result, if nothing is left to do.
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

    /// What will be done; none of a finished run.
    pub fn plan(&self) -> Option<&Plan> {
        match &self.0 {
            State::Finished(..) => None,
            State::Ready(ready) => Some(&ready.plan),
        }
    }

    /// The plan and what it means on this device, a line each; none of a finished run.
    pub fn report(&self) -> Vec<String> {
        match &self.0 {
            State::Finished(..) => Vec::new(),
            State::Ready(ready) => ready.plan.report(&ready.label, ready.origin.root()),
        }
    }

    /// Makes or locks the run's folder and reads the checkpoint to resume from.
    ///
    /// # Errors
    /// If the folder cannot be had, the run is another one, or there is not enough memory.
    pub fn open(self) -> Result<OpenRun<'a, B, M>, RunError> {
        match self.0 {
            State::Finished(summary, origin, console) => Ok(OpenRun::finished(*summary, origin.root(), console)),
            State::Ready(ready) => begin(*ready),
        }
    }
}

impl<'a, B: TrainBackend, M: TrainBackbone<B>> RunBuilder<'a, B, M> {
    /// Settles the config, opens the images and works out the plan; writes nothing to the run's folder.
    ///
    /// # Errors
    /// [`RunError::Usage`] if the run cannot be had so.
    pub fn prepare(mut self) -> Result<PreparedRun<'a, B, M>, RunError> {
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
    /// As both.
    pub fn open(self) -> Result<OpenRun<'a, B, M>, RunError> {
        self.prepare()?.open()
    }
}

/// Settles the config, opens the images and works out the plan.
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
        ..
    } = builder;
    let mut config = ResolvedConfig::new(config);
    if images.is_none() {
        config = config.with_data_located().map_err(RunError::usage)?;
    }
    if let Some(stored) = origin.stored() {
        // Statistics that were computed are stored as numbers.
        config = config.with_statistics_of(stored);
    }
    // Asked first: a large data set may take minutes to open.
    if let Some(summary) = origin.finished(&config)? {
        return Ok(PreparedRun(State::Finished(Box::new(summary), origin, console)));
    }
    let sources = match images {
        Some(images) => images,
        None => sources::open(&config, !dry_run, &|line| console.line(line)).map_err(RunError::usage)?,
    };
    let config = config.with_statistics(&sources.normalization);
    check_batch(config.train.batch_size, sources.counts().train)?;
    let largest_buffer = B::largest_buffer(&device);
    let method = method(&config, &config.method_inputs(largest_buffer));
    let backbone = backbone(&config, &device).map_err(RunError::usage)?;
    check_backbone::<B, M>(&config, &backbone, &device).map_err(RunError::usage)?;
    let model = Model::new(backbone, &method.spec().heads, &device);
    check_names(&model).map_err(RunError::usage)?;
    // Before anything is written.
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
    if !dry_run && let Some(available) = host_memory::physical() {
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

/// Whether a custom backbone is stored as one: a ResNet's run is read as the config's by other programs.
fn check_backbone<B: TrainBackend, M: TrainBackbone<B>>(
    config: &Config,
    backbone: &M,
    device: &B::Device,
) -> Result<(), String> {
    match config.backbone() {
        Ok(named) if named_shapes(&named.init::<B>(device)) != named_shapes(backbone) => Err(
            "the backbone is not the one that the config's [model] names; set model.backbone to \"custom\"".to_owned(),
        ),
        _ => Ok(()),
    }
}

/// Checked before a plan is made: an epoch without a whole batch would have no steps.
fn check_batch(batch_size: usize, images: usize) -> Result<(), RunError> {
    if batch_size <= images {
        return Ok(());
    }
    Err(RunError::usage(format!(
        "train.batch_size is {batch_size} and there are only {images} training images; pass a smaller --batch-size"
    )))
}
