//! The training loop: batches in, steps, lines of metrics, evaluations, checkpoints.

use super::Job;
use super::cached::cached_step_gradients;
use super::evaluate::{Accuracy, accuracy};
use super::finish;
use super::interval::Interval;
use super::profile::{Phase, Profile};
use super::step::{PendingValues, step_gradients, valid};
use crate::backend::TrainBackend;
use crate::checkpoint::{Checkpoint, Progress};
use crate::error::AppError;
use crate::metrics::{EvaluationMetric, Metric, MetricsLog, MetricsSink, TensorBoard, TrainingMetric};
use crate::optim::{LearningRates, Optimizer, rule};
use crate::summary::{LossMeans, LossValues, Summary, UntrainedAccuracy};
use anyhow::{Context, Result, anyhow};
use barlow_augment::TwinViews;
use barlow_data::{HostBatch, TwinLoader, TwinLoaderConfig};
use barlow_loss::BarlowTwinsLoss;
use barlow_model::{BarlowTwinsModel, load_state_dict, state_dict};
use burn::optim::GradientsParams;
use std::time::Instant;

/// A run with its tensors.
pub(super) struct Trainer<'a, B: TrainBackend> {
    job: &'a Job,
    profile: &'a Profile,
    device: B::Device,
    /// Absent only while a step owns it.
    model: Option<BarlowTwinsModel<B>>,
    optimizer: Optimizer<B::InnerBackend>,
    loss: BarlowTwinsLoss,
    loader: TwinLoader,
    sinks: Vec<Box<dyn MetricsSink + 'a>>,
    progress: Progress,
    pending: Vec<PendingValues<B::InnerBackend>>,
    /// A step of this session with its values.
    last_finite: Option<(u64, LossValues)>,
    interval: Interval,
    started: Instant,
    /// Seconds of the run before this session.
    earlier_seconds: f64,
}

impl<'a, B: TrainBackend> Trainer<'a, B> {
    pub(super) fn new(
        job: &'a Job,
        profile: &'a Profile,
        device: B::Device,
        checkpoint: Option<Checkpoint>,
        more_sinks: Vec<Box<dyn MetricsSink + 'a>>,
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
        let mut model = job.plan.model.init::<B>(&device, config.run.seed);
        let mut optimizer = Optimizer::new(rule(config));
        let mut progress = Progress::start(config.to_toml(), job.sources.images());
        if let Some(checkpoint) = checkpoint {
            model = load_state_dict(model, &checkpoint.model).context("the checkpoint does not fit the model")?;
            let Checkpoint {
                optimizer: state,
                model,
                ..
            } = &checkpoint;
            optimizer
                .load_state(state, model, checkpoint.progress.step, &device)
                .map_err(|error| anyhow!("the checkpoint's optimiser state is not usable: {error}"))?;
            // A config that was changed is the run's from here on.
            progress = Progress {
                config: progress.config,
                ..checkpoint.progress
            };
        } else {
            if let Some(weights) = &job.weights {
                model = weights.load(model)?.0;
            }
            finish::save_view_pairs(job)?;
        }
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
            loss: config.loss_config().init(),
            loader,
            sinks,
            earlier_seconds: progress.wall_seconds,
            progress,
            pending: Vec::new(),
            last_finite: None,
            interval: Interval::default(),
            started,
        };
        if trainer.progress.step == 0 {
            trainer.measure_untrained()?;
            if job.weights.is_some() {
                // Drawn weights are drawn again when such a run is resumed before its first checkpoint; these are not.
                trainer.save(false)?;
            }
        }
        Ok(trainer)
    }

    /// Steps made, those before this session among them.
    pub(super) fn steps(&self) -> u64 {
        self.progress.step
    }

    /// Makes the steps that are left.
    pub(super) fn run(&mut self) -> Result<(), AppError> {
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
            let (gradients, values) = self.gradients(&model, batch);
            let model = profile.time(Phase::Optimizer, || self.optimizer.step(model, gradients, rates));
            self.model = Some(model);
            self.pending.push(values);
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

    fn gradients(
        &self,
        model: &BarlowTwinsModel<B>,
        batch: HostBatch,
    ) -> (GradientsParams, PendingValues<B::InnerBackend>) {
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

    /// Reads the losses since the last line, checks them and writes the line.
    fn log_interval(&mut self, epoch: u64, rates: LearningRates) -> Result<()> {
        if self.interval.is_empty() {
            return Ok(());
        }
        let profile = self.profile;
        profile.time(Phase::Monitors, || self.write_interval(epoch, rates))
    }

    fn write_interval(&mut self, epoch: u64, rates: LearningRates) -> Result<()> {
        let waiting = Instant::now();
        let mut means = LossMeans::default();
        let first_step = self.progress.step - self.pending.len() as u64 + 1;
        for (step, pending) in (first_step..).zip(std::mem::take(&mut self.pending)) {
            let values = pending.read();
            if !values.is_finite() {
                return Err(self.diverged(step, epoch, &values));
            }
            self.last_finite = Some((step, values));
            means.add(&values);
            self.progress.losses.add(&values);
        }
        let waited = waiting.elapsed();
        self.interval.extend(waited);
        self.progress.training_seconds += waited.as_secs_f64();
        let interval = std::mem::take(&mut self.interval);
        let metric = TrainingMetric {
            step: self.progress.step,
            epoch,
            values: means.mean().expect("an interval has steps"),
            loss_floor: self.job.plan.loss_floor(),
            lr_weights: rates.weights,
            lr_biases: rates.biases,
            images_per_second: interval.images_per_second(self.job.plan.config.train.batch_size),
            data_wait: interval.data_wait(),
        };
        self.status(&metric);
        self.tell(&Metric::Training(metric))
    }

    fn tell(&mut self, metric: &Metric) -> Result<()> {
        self.sinks.iter_mut().try_for_each(|sink| sink.write(metric))
    }

    fn diverged(&self, step: u64, epoch: u64, values: &LossValues) -> anyhow::Error {
        let before = self.last_finite.map_or(String::new(), |(step, values)| {
            format!(
                "; the last finite values: loss {:.3}, invariance {:.3}, redundancy reduction {:.3} at step {step}",
                values.loss, values.invariance, values.redundancy_reduction
            )
        });
        anyhow!(
            "the loss is {} at step {step} (epoch {epoch}){before}; the last checkpoint is kept in {}; \
             lower optimizer.learning_rate_weights or lengthen schedule.warmup_epochs",
            values.loss,
            self.job.run.checkpoints().display()
        )
    }

    fn status(&self, metric: &TrainingMetric) {
        let plan = &self.job.plan;
        let floor = metric
            .loss_floor
            .map_or(String::new(), |floor| format!(" (floor {floor:.2})"));
        let knn = self
            .progress
            .best
            .map_or(String::new(), |(knn, _)| format!(", best kNN {knn:.3}"));
        let place = format!(
            "epoch {}/{} step {}/{}",
            metric.epoch, plan.config.train.epochs, metric.step, plan.schedule.total_steps
        );
        self.job.console.status(
            &place,
            &format!(
                "loss {:.2}{floor}{knn}, {:.0} images/s",
                metric.values.loss, metric.images_per_second
            ),
        );
    }

    fn end_epoch(&mut self, done: u64) -> Result<(), AppError> {
        let config = &self.job.plan.config;
        let last = done == config.train.epochs;
        self.progress.last_epoch = self.progress.losses.mean();
        self.progress.losses = LossMeans::default();
        // The last epoch is measured with the probe, after its checkpoint is safe.
        let evaluate = !last && config.eval.every > 0 && done.is_multiple_of(config.eval.every);
        let mut is_best = false;
        if evaluate && let Some(accuracy) = self.measure(false)? {
            is_best = self.record(done, &accuracy)?;
        }
        if last || is_best || done.is_multiple_of(config.train.checkpoint_every) {
            self.save(is_best)?;
        }
        Ok(())
    }

    /// Writes an evaluation down; whether it is the best so far.
    fn record(&mut self, epoch: u64, accuracy: &Accuracy) -> Result<bool> {
        let step = self.progress.step;
        let linear_top1 = accuracy.linear.as_ref().map(|linear| linear.top1);
        let metric = EvaluationMetric {
            step,
            epoch,
            knn_top1: accuracy.knn_top1,
            linear_top1,
        };
        self.tell(&Metric::Evaluation(metric))?;
        self.job
            .console
            .line(&format!("epoch {epoch}: kNN top-1 {:.4}", accuracy.knn_top1));
        let is_best = self.progress.best.is_none_or(|(best, _)| accuracy.knn_top1 > best);
        if is_best {
            self.progress.best = Some((accuracy.knn_top1, step));
        }
        Ok(is_best)
    }

    fn measure(&self, with_linear: bool) -> Result<Option<Accuracy>> {
        let model = valid(self.model.as_ref().expect("present between two steps"));
        self.profile.time(Phase::Monitors, || {
            accuracy(
                &model.backbone,
                &self.job.sources,
                &self.job.plan.config,
                with_linear,
                &self.device,
            )
        })
    }

    fn measure_untrained(&mut self) -> Result<()> {
        let Some(accuracy) = self.measure(true)? else {
            return Ok(());
        };
        let linear_top1 = accuracy.linear.as_ref().map(|linear| linear.top1);
        self.progress.untrained = UntrainedAccuracy {
            knn_top1: Some(accuracy.knn_top1),
            linear_top1,
        };
        let linear = linear_top1.unwrap_or_default();
        self.job.console.line(&format!(
            "untrained: kNN top-1 {:.4}, linear top-1 {linear:.4}",
            accuracy.knn_top1
        ));
        Ok(())
    }

    fn save(&mut self, is_best: bool) -> Result<()> {
        let profile = self.profile;
        profile.time(Phase::Monitors, || self.write_checkpoint(is_best))
    }

    fn write_checkpoint(&mut self, is_best: bool) -> Result<()> {
        self.progress.wall_seconds = self.wall_seconds();
        let model = valid(self.model.as_ref().expect("present between two steps"));
        let checkpoint = Checkpoint {
            progress: self.progress.clone(),
            model: state_dict(&model),
            optimizer: self.optimizer.state(),
        };
        let saved = checkpoint.save(&self.job.run, self.job.plan.config.train.keep, is_best);
        saved.with_context(|| {
            format!(
                "no checkpoint could be written at step {}, those before it are kept (continue with --resume --out {})",
                self.progress.step,
                self.job.run.root().display()
            )
        })?;
        Ok(())
    }

    fn interrupt(&mut self) -> Result<AppError> {
        self.save(false)?;
        let root = self.job.run.root().display();
        Ok(AppError::Interrupted(format!(
            "interrupted at step {} of {}; a checkpoint is in {root}; continue with --resume --out {root}",
            self.progress.step, self.job.plan.schedule.total_steps
        )))
    }

    /// Measures the trained network and writes the results.
    pub(super) fn finish(mut self) -> Result<Summary> {
        if let Some(first) = &self.loader.skipped().first {
            let count = self.loader.skipped().count;
            self.job
                .console
                .warn(&format!("{count} images were replaced by others; the first: {first}"));
        }
        let accuracy = self.measure(true)?;
        if let Some(accuracy) = &accuracy
            && self.record(self.job.plan.config.train.epochs, accuracy)?
        {
            self.save(true)?;
        }
        let model = valid(self.model.as_ref().expect("present between two steps"));
        self.profile.time(Phase::Monitors, || {
            finish::export_backbone(self.job, &model.backbone, self.progress.step)
        })?;
        let wall_seconds = self.wall_seconds();
        let last_epoch = self.progress.last_epoch.context("a finished run has losses")?;
        let summary = finish::summary(
            self.job,
            &self.progress,
            accuracy.as_ref(),
            last_epoch.loss,
            wall_seconds,
        );
        self.profile
            .time(Phase::Monitors, || finish::write_results(self.job, &summary))?;
        Ok(summary)
    }

    fn wall_seconds(&self) -> f64 {
        self.earlier_seconds + self.started.elapsed().as_secs_f64()
    }
}
