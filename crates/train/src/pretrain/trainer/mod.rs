//! The training loop: batches in, steps. What it tells stands in `watch.rs`, what it keeps in `keep.rs`.

mod keep;
mod watch;

use super::cached::cached_step_gradients;
use super::interval::Interval;
use super::online::OnlineProbe;
use super::parts::{Parts, TrainBackbone, TwinLoss};
use super::profile::{Phase, Profile};
use super::step::{PendingValues, StepGradients, step_gradients};
use super::{Job, finish};
use crate::backend::TrainBackend;
use crate::checkpoint::{Checkpoint, Progress};
use crate::error::AppError;
use crate::metrics::{MetricsLog, MetricsSink, TensorBoard};
use crate::optim::{Optimizer, rule};
use crate::run_dir::write_atomic;
use crate::summary::{LossMeans, LossValues};
use anyhow::{Context, Result, anyhow};
use barlow_augment::TwinViews;
use barlow_data::{HostBatch, TwinLoader, TwinLoaderConfig};
use barlow_model::{BarlowTwinsModel, load_state_dict};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use std::time::Instant;

/// What a step has to tell, still on the device.
struct Pending<B: Backend> {
    values: PendingValues<B>,
    /// The part that the probe had right.
    right: Option<Tensor<B, 1>>,
}

/// A run with its tensors.
pub(in crate::pretrain) struct Trainer<'a, B: TrainBackend, M, L> {
    job: &'a Job,
    profile: &'a Profile,
    device: B::Device,
    /// Absent only while a step owns it.
    model: Option<BarlowTwinsModel<B, M>>,
    optimizer: Optimizer<B::InnerBackend>,
    loss: L,
    loss_floor: Option<f64>,
    loader: TwinLoader,
    sinks: Vec<Box<dyn MetricsSink + 'a>>,
    progress: Progress,
    /// Trained beside the network, where there are labels.
    probe: Option<OnlineProbe<B::InnerBackend>>,
    /// The steps since the last line.
    pending: Vec<Pending<B::InnerBackend>>,
    /// A step of this session with its values.
    last_finite: Option<(u64, LossValues)>,
    interval: Interval,
    started: Instant,
    /// Seconds of the run before this session.
    earlier_seconds: f64,
}

impl<'a, B: TrainBackend, M: TrainBackbone<B>, L: TwinLoss<B>> Trainer<'a, B, M, L> {
    pub(in crate::pretrain) fn new(
        job: &'a Job,
        profile: &'a Profile,
        device: B::Device,
        parts: Parts<'a, B, M, L>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Self, AppError> {
        let started = Instant::now();
        let config = &job.plan.config;
        let views = TwinViews::new(&config.views, job.sources.normalization.clone()).map_err(AppError::usage)?;
        let loader_config = TwinLoaderConfig {
            batch_size: config.train.batch_size,
            workers: job.workers,
            queue: config.data.queue,
            seed: config.run.seed,
            drop_last: true,
            bad_images: config.data.bad_images,
        };
        let loader = TwinLoader::new(job.sources.train.clone(), views, loader_config).map_err(AppError::usage)?;
        parts.check(config).map_err(AppError::usage)?;
        let Parts {
            mut model,
            loss,
            sinks: more_sinks,
        } = parts;
        let (n, d) = job.plan.loss_shape();
        let mut optimizer = Optimizer::new(rule(config));
        let classes = job.sources.classes.len();
        let features = model.backbone.features();
        let mut probe = (config.eval.online && classes >= 2).then(|| OnlineProbe::new(features, classes, &device));
        // Whether the next session could not make what this one begins with: weights from elsewhere, a changed config.
        let mut to_be_kept = false;
        let progress = if let Some(checkpoint) = checkpoint {
            model = load_state_dict(model, &checkpoint.model).context("the checkpoint does not fit the model")?;
            let Checkpoint {
                optimizer: state,
                model,
                ..
            } = &checkpoint;
            optimizer
                .load_state(state, model, checkpoint.progress.step, &device)
                .map_err(|error| anyhow!("the checkpoint's optimiser state is not usable: {error}"))?;
            if let Some(probe) = &mut probe {
                probe.load_state(&checkpoint.probe, &device);
            }
            // A config that was changed is the run's from here on.
            let config = config.to_toml();
            to_be_kept = checkpoint.progress.config != config;
            Progress {
                config,
                ..checkpoint.progress
            }
        } else {
            if let Some(weights) = &job.weights {
                model = weights.load(model)?;
                to_be_kept = true;
            }
            finish::save_view_pairs(job)?;
            Progress {
                from: job.weights.as_ref().map(|weights| weights.origin.clone()),
                ..Progress::start(config.to_toml(), job.sources.images())
            }
        };
        let log = MetricsLog::open(
            &job.run.metrics(),
            progress.step,
            progress.step == job.plan.schedule.total_steps,
        )?;
        let board = TensorBoard::create(&job.run.tensorboard(), progress.step)?;
        let mut sinks: Vec<Box<dyn MetricsSink>> = vec![Box::new(log), Box::new(board)];
        sinks.extend(more_sinks);
        let mut trainer = Self {
            job,
            profile,
            device,
            model: Some(model),
            optimizer,
            loss_floor: loss.floor(n, d),
            loss,
            loader,
            sinks,
            earlier_seconds: progress.wall_seconds,
            progress,
            probe,
            pending: Vec::new(),
            last_finite: None,
            interval: Interval::default(),
            started,
        };
        if to_be_kept {
            trainer.save(false)?;
        }
        if job.weights.is_some() {
            // There is a run to resume from here on; before, it would have begun with drawn weights.
            write_atomic(&job.run.config(), config.to_toml().as_bytes())?;
        }
        if trainer.progress.step == 0 {
            trainer.measure_untrained()?;
        }
        Ok(trainer)
    }

    /// Steps made, those before this session among them.
    pub(in crate::pretrain) fn steps(&self) -> u64 {
        self.progress.step
    }

    /// Makes the steps that are left.
    pub(in crate::pretrain) fn run(&mut self) -> Result<(), AppError> {
        let plan = &self.job.plan;
        self.job.console.start(self.progress.step, plan.schedule.total_steps);
        while self.progress.step < plan.schedule.total_steps {
            if self.job.stop.is_set() {
                return Err(self.interrupt()?);
            }
            let epoch = self.progress.step / plan.steps_per_epoch;
            self.run_epoch(epoch)?;
            self.end_epoch(epoch + 1)?;
        }
        // The last evaluation may take as long as many steps.
        if self.job.stop.is_set() {
            return Err(self.interrupt()?);
        }
        Ok(())
    }

    fn run_epoch(&mut self, epoch: u64) -> Result<(), AppError> {
        let first = (self.progress.step % self.job.plan.steps_per_epoch) as usize;
        let profile = self.profile;
        let mut batches = profile.time(Phase::DataWait, || self.loader.epoch(epoch, first));
        loop {
            let start = Instant::now();
            let Some(batch) = profile.time(Phase::DataWait, || batches.next()) else {
                break;
            };
            let batch = batch.map_err(anyhow::Error::from)?;
            let waited = start.elapsed();
            let rates = self
                .job
                .plan
                .peak
                .scaled(self.job.plan.schedule.factor(self.progress.step));
            let model = self.model.take().expect("present between two steps");
            let labels: Option<Vec<usize>> = batch.labels.iter().copied().collect();
            let step = self.gradients(&model, batch);
            let model = profile.time(Phase::Optimizer, || self.optimizer.step(model, step.gradients, rates));
            self.model = Some(model);
            let right = profile.time(Phase::Monitors, || {
                let (probe, labels) = (self.probe.as_mut()?, labels?);
                let factor = labels.len() as f64 / 256.0;
                Some(probe.step(step.representations, &labels, factor))
            });
            let values = step.values;
            self.pending.push(Pending { values, right });
            self.progress.step += 1;
            self.progress.training_seconds += self.interval.add(start, waited).as_secs_f64();
            self.job.console.step(self.progress.step);
            if self.progress.step.is_multiple_of(self.job.plan.config.train.log_every) {
                self.log_interval(epoch + 1, rates)?;
            }
            // At the end of an epoch there is more to do before a checkpoint is whole; `run` looks again after it.
            if self.job.stop.is_set() && !self.progress.step.is_multiple_of(self.job.plan.steps_per_epoch) {
                drop(batches);
                self.log_interval(epoch + 1, rates)?;
                return Err(self.interrupt()?);
            }
        }
        let rates = self
            .job
            .plan
            .peak
            .scaled(self.job.plan.schedule.factor(self.progress.step.saturating_sub(1)));
        self.log_interval(epoch + 1, rates)?;
        Ok(())
    }

    fn gradients(&self, model: &BarlowTwinsModel<B, M>, batch: HostBatch) -> StepGradients<B::InnerBackend> {
        let Self {
            loss, device, profile, ..
        } = self;
        match self.job.plan.config.train.micro_batch {
            Some(micro_batch) if micro_batch < batch.n => {
                cached_step_gradients(model, loss, &batch, micro_batch, device, profile)
            }
            _ => {
                let batch = profile.time(Phase::ToDevice, || batch.to_device::<B>(device));
                step_gradients(model, loss, [batch.view_a, batch.view_b], profile)
            }
        }
    }

    fn end_epoch(&mut self, done: u64) -> Result<(), AppError> {
        let config = &self.job.plan.config;
        let last = done == config.train.epochs;
        self.progress.last_epoch = self.progress.losses.mean();
        self.progress.losses = LossMeans::default();
        // The last epoch is measured with the probe, after its checkpoint is safe.
        let evaluate = !last && config.eval.every > 0 && done.is_multiple_of(config.eval.every);
        let mut is_best = false;
        if evaluate && let Some(accuracy) = self.measure(false, true)? {
            is_best = self.record(done, &accuracy)?;
        }
        if last || is_best || done.is_multiple_of(config.train.checkpoint_every) {
            self.save(is_best)?;
        }
        Ok(())
    }
}
