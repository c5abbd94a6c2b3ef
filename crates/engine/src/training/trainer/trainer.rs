//! The loop over epochs and steps.

use super::Standing;
use super::moment::Moment;
use crate::backend::TrainBackend;
use crate::checkpoint::{Checkpoint, Progress};
use crate::context::RunContext;
use crate::error::RunError;
use crate::evaluation::{EvaluationError, Watch};
use crate::method::{Clock, EmaTiming, Method};
use crate::metrics::{MetricsSink, ReadingMeans, Readings};
use crate::optim::{Optimizer, StepRates};
use crate::ranks::Ranks;
use crate::training::collapse::CollapseWatch;
use crate::training::interval::Interval;
use crate::training::whole_set::whole_set;
use crate::training::{
    OnlineProbe, PendingReadings, Phase, Profile, StepContext, StepGradients, Teacher, TrainBackbone,
    cached_step_gradients, step_gradients,
};
use anyhow::{Context, Result};
use barlow_data::{DataError, EpochIter, HostBatch, ViewLoader};
use barlow_model::{Model, load_state_dict, named_shapes, state_dict};
use burn::module::AutodiffModule;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use std::time::{Duration, Instant};

/// A step's results that are still on the device.
pub(super) struct Pending<B: Backend> {
    pub(super) readings: PendingReadings<B>,
    /// Accuracy of the online probe.
    pub(super) correct: Option<Tensor<B, 1>>,
}

/// The report is rewritten at most so often between two evaluations.
const REPORT_INTERVAL: Duration = Duration::from_secs(30);

/// What a run trains and with what.
pub struct TrainerParts<'a, B: TrainBackend, M: TrainBackbone<B>> {
    /// The run.
    pub context: &'a RunContext,
    /// Where the time goes.
    pub profile: &'a Profile,
    /// The ranks that train the run together.
    pub ranks: Ranks,
    /// Where it computes.
    pub device: B::Device,
    /// The network with the weights that the run starts from.
    pub model: Model<B, M>,
    /// The method.
    pub method: Box<dyn Method<B>>,
    /// The update rule.
    pub optimizer: Optimizer<B::InnerBackend>,
    /// Batches of views.
    pub loader: ViewLoader,
    /// Where metrics go.
    pub sinks: Vec<Box<dyn MetricsSink + 'a>>,
    /// Where the run stands.
    pub progress: Progress,
    /// Writes the report of the run so far: after the first epoch of this session, after each evaluation, and now and then in between.
    pub report: Box<dyn FnMut(&Standing) + 'a>,
    /// When this session began.
    pub started: Instant,
}

/// A run with its tensors.
pub struct Trainer<'a, B: TrainBackend, M: TrainBackbone<B>> {
    pub(super) context: &'a RunContext,
    pub(super) profile: &'a Profile,
    pub(super) ranks: Ranks,
    pub(super) device: B::Device,
    /// Absent only while a step owns it.
    pub(super) model: Option<Model<B, M>>,
    pub(super) teacher: Option<Teacher<B, M>>,
    pub(super) method: Box<dyn Method<B>>,
    pub(super) optimizer: Optimizer<B::InnerBackend>,
    pub(super) loader: ViewLoader,
    pub(super) sinks: Vec<Box<dyn MetricsSink + 'a>>,
    pub(super) progress: Progress,
    /// Trained beside the network, where there are labels.
    pub(super) probe: Option<OnlineProbe<B::InnerBackend>>,
    /// The steps since the last line of metrics.
    pub(super) pending: Vec<Pending<B::InnerBackend>>,
    /// A step of this session with its readings.
    pub(super) last_finite: Option<(u64, Readings)>,
    pub(super) interval: Interval,
    pub(super) collapse: CollapseWatch,
    report: Box<dyn FnMut(&Standing) + 'a>,
    /// When the report was last written.
    reported: Option<Instant>,
    pub(super) started: Instant,
    /// Seconds of the run before this session.
    pub(super) earlier_seconds: f64,
    /// Views whose representations the online probe learns from, by their numbers among those that the network sees: the largest,
    /// without derived ones.
    probed_views: Vec<usize>,
    /// Whether any rank was asked to stop before the last step.
    stopping: bool,
    /// Whether every image of the batch has a label, on all ranks.
    labelled: bool,
}

impl<'a, B: TrainBackend, M: TrainBackbone<B>> Trainer<'a, B, M> {
    /// A run at its start, or about to be [restored](Trainer::restore); touches no file.
    pub fn new(parts: TrainerParts<'a, B, M>) -> Self {
        let TrainerParts {
            context,
            profile,
            ranks,
            device,
            model,
            method,
            optimizer,
            loader,
            sinks,
            progress,
            report,
            started,
        } = parts;
        let classes = context.sources.classes.len();
        let features = model.backbone.feature_dim();
        let probe =
            (context.plan.config.eval.online && classes >= 2).then(|| OnlineProbe::new(features, classes, &device));
        let spec = method.spec();
        let teacher = spec.teacher.clone().map(|spec| Teacher::new(spec, &model));
        let (sizes, groups) = (spec.sizes_of_views(), spec.groups_of_views());
        let online = spec.online_views();
        // A derived view, such as a mixture, may show another label.
        let drawn = |view: &usize| groups[*view] < spec.views.len();
        let largest = online.iter().copied().filter(drawn).map(|view| sizes[view]).max();
        let is_probed = |view: usize| drawn(&view) && Some(sizes[view]) == largest;
        let probed_views = (0..online.len()).filter(|&number| is_probed(online[number])).collect();
        Self {
            context,
            profile,
            ranks,
            device,
            model: Some(model),
            teacher,
            method,
            optimizer,
            loader,
            sinks,
            earlier_seconds: progress.wall_seconds,
            progress,
            probe,
            pending: Vec::new(),
            last_finite: None,
            interval: Interval::default(),
            collapse: CollapseWatch::default(),
            report,
            reported: None,
            started,
            probed_views,
            stopping: false,
            labelled: false,
        }
    }

    /// Takes a checkpoint's tensors over; its progress came with the parts.
    ///
    /// # Errors
    /// If they do not fit the network, the optimiser or the method.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let model = self.model.take().expect("present between two steps");
        let model = load_state_dict(model, &checkpoint.model).context("the checkpoint does not fit the model")?;
        let step = self.progress.step;
        self.optimizer
            .load_state(&checkpoint.optimizer, &checkpoint.model, step, &self.device)
            .context("the checkpoint's optimiser state is not usable")?;
        let shapes = named_shapes(&model);
        // Without a step there are no buffers yet.
        if step > 0 {
            self.optimizer
                .check_complete(shapes.iter().map(|shape| (shape.name.as_str(), shape.kind)))
                .context("the checkpoint's optimiser state is not usable")?;
        }
        self.model = Some(model);
        if let Some(probe) = &mut self.probe {
            probe.load_state(&checkpoint.probe, &self.device);
        }
        if let Some(teacher) = &mut self.teacher {
            teacher
                .load_state(&checkpoint.teacher)
                .context("the checkpoint's teacher does not fit the model")?;
        }
        self.method
            .load_state(&checkpoint.method, &self.device)
            .map_err(|error| anyhow::anyhow!("the checkpoint's state of the method is not usable: {error}"))
    }

    /// Steps made, those before this session among them.
    pub fn steps(&self) -> u64 {
        self.progress.step
    }

    /// Makes the steps that are left.
    ///
    /// # Errors
    /// [`RunError::Interrupted`] after a checkpoint was written; [`RunError::Failed`] else.
    pub fn run(&mut self) -> Result<(), RunError> {
        let plan = &self.context.plan;
        self.context
            .console
            .start(self.progress.step, plan.schedule.total_steps);
        if self.progress.evaluation_due {
            let is_best = self.evaluate_if_due(self.progress.step / plan.steps_per_epoch)?;
            self.save(is_best)?;
        }
        while self.progress.step < plan.schedule.total_steps {
            if self.is_stopped() {
                return Err(self.interrupt()?);
            }
            let epoch = self.progress.step / plan.steps_per_epoch;
            self.run_epoch(epoch)?;
            self.end_epoch(epoch + 1)?;
        }
        // The last evaluation may take as long as many steps.
        if self.is_stopped() {
            return Err(self.interrupt()?);
        }
        Ok(())
    }

    /// Whether any rank was asked to stop.
    fn is_stopped(&self) -> bool {
        let [asked] = self.ranks.count([self.context.stop.is_set()]);
        asked > 0
    }

    /// The batch, if every rank has one. All ranks also learn here whether any was asked to stop, so that all leave after the same step.
    fn agreed(&mut self, batch: Result<HostBatch, DataError>) -> Result<HostBatch, RunError> {
        let labelled = batch
            .as_ref()
            .is_ok_and(|batch| batch.labels.iter().all(Option::is_some));
        let flags = [batch.is_err(), self.context.stop.is_set(), !labelled];
        let [failed, stopping, unlabelled] = self.ranks.count(flags);
        self.stopping = stopping > 0;
        self.labelled = unlabelled == 0;
        match batch {
            Ok(_) if failed > 0 => Err(RunError::OnAnotherRank(Box::new(RunError::Failed(anyhow::anyhow!(
                "{failed} ranks have no next batch"
            ))))),
            batch => Ok(batch.map_err(anyhow::Error::from)?),
        }
    }

    fn clock(&self) -> Clock {
        let plan = &self.context.plan;
        Clock {
            step: self.progress.step,
            total_steps: plan.schedule.total_steps,
            steps_per_epoch: plan.steps_per_epoch,
        }
    }

    /// The rates of a step.
    fn rates(&self, step: u64) -> StepRates {
        let plan = &self.context.plan;
        StepRates {
            now: plan.peak.scaled(plan.schedule.factor(step)),
            peak: plan.peak,
        }
    }

    fn run_epoch(&mut self, epoch: u64) -> Result<(), RunError> {
        let context = self.context;
        let plan = &context.plan;
        let end = (epoch + 1) * plan.steps_per_epoch;
        let profile = self.profile;
        self.method.epoch(self.clock());
        let mut batches: Option<EpochIter> = None;
        while self.progress.step < end {
            if self.method.wants_whole_set(self.clock()) {
                // Two epochs of batches at once would need twice the memory.
                drop(batches.take());
                if !self.see_whole_set()? {
                    let rates = self.rates(self.progress.step.saturating_sub(1));
                    self.log_interval(epoch + 1, rates.now)?;
                    return Err(self.interrupt()?);
                }
            }
            let start = Instant::now();
            let batch = profile.time(Phase::DataWait, || {
                let first = (self.progress.step % plan.steps_per_epoch) as usize;
                let batches = batches.get_or_insert_with(|| self.loader.epoch(epoch, first));
                batches.next()
            });
            let Some(batch) = batch else {
                break;
            };
            let batch = self.agreed(batch)?;
            let waited = start.elapsed();
            let rates = self.rates(self.progress.step);
            self.step(batch, rates);
            self.progress.training_seconds += self.interval.add(start, waited).as_secs_f64();
            context.console.step(self.progress.step);
            if self.progress.step.is_multiple_of(plan.config.train.log_every) {
                self.log_interval(epoch + 1, rates.now)?;
            }
            // At the end of an epoch there is more to do before a checkpoint is whole; `run` checks again after it.
            let stopping = match self.ranks.is_alone() {
                true => context.stop.is_set(),
                false => self.stopping,
            };
            if stopping && !self.progress.step.is_multiple_of(plan.steps_per_epoch) {
                drop(batches.take());
                self.log_interval(epoch + 1, rates.now)?;
                return Err(self.interrupt()?);
            }
        }
        let rates = self.rates(self.progress.step.saturating_sub(1));
        self.log_interval(epoch + 1, rates.now)?;
        Ok(())
    }

    /// Shows the method the whole training set; whether it came to its end. If the run should stop, all is as before.
    fn see_whole_set(&mut self) -> Result<bool, RunError> {
        let context = self.context;
        let (clock, config) = (self.clock(), &context.plan.config);
        let watch = Watch {
            console: context.console.as_ref(),
            stop: &context.stop,
        };
        let mut phase = watch
            .phase("reading the whole training set".to_owned(), context.sources.train.len())
            .under("labelling");
        let profile = self.profile;
        let model = self.model.take().expect("present between two steps");
        let seen = profile.time(Phase::Forward, || -> Result<_, EvaluationError> {
            // A copy, whose running statistics are taken over at the end.
            let copy = model.valid();
            let part = config.train.micro_batch.unwrap_or(config.train.batch_size);
            let set = whole_set::<B, M>(&copy, &self.loader, (clock.step, part), &mut phase, &self.device)?;
            let stop = || context.stop.is_set();
            let done = self.method.whole_set(&copy.heads, &set, clock, config.run.seed, &stop);
            Ok(done.then_some(copy))
        });
        match seen {
            Ok(Some(copy)) => {
                let state = state_dict(&copy).map_err(anyhow::Error::from)?;
                self.model = Some(load_state_dict(model, &state).map_err(anyhow::Error::from)?);
                Ok(true)
            }
            Ok(None) | Err(EvaluationError::Stopped(_)) => {
                self.model = Some(model);
                Ok(false)
            }
            Err(EvaluationError::Failed(error)) => {
                self.model = Some(model);
                Err(error.into())
            }
        }
    }

    /// One step, in the order that [`Method`] documents.
    fn step(&mut self, mut batch: HostBatch, rates: StepRates) {
        let profile = self.profile;
        let clock = self.clock();
        let seed = self.context.plan.config.run.seed;
        profile.time(Phase::DataWait, || self.method.derive(&mut batch, clock, seed));
        // Derived views are computed from the whole batch, which every rank then has.
        if !self.ranks.is_alone() && batch.n > self.ranks.share().len() {
            batch = batch.rows(self.ranks.share());
        }
        let mut model = self.model.take().expect("present between two steps");
        model.heads = self.method.before_step(model.heads, clock);
        if let Some(teacher) = &mut self.teacher {
            teacher.update(EmaTiming::BeforeForward, &model, clock.progress());
        }
        let labels: Option<Vec<usize>> = batch.labels.iter().copied().collect();
        let labels = labels.filter(|_| self.labelled);
        let step = self.gradients(&model, batch, clock);
        let StepGradients {
            gradients,
            readings,
            representations,
        } = step;
        let gradients = profile.time(Phase::Backward, || self.ranks.sum_gradients(gradients, &model));
        if let Some(weight_decay) = self.context.plan.weight_decay(clock.step) {
            self.optimizer.set_weight_decay(weight_decay);
        }
        let (optimizer, method) = (&mut self.optimizer, &mut self.method);
        let model = profile.time(Phase::Optimizer, || {
            let mut hook = |name: &str, kind, gradient| method.gradient(name, kind, gradient, clock);
            optimizer.step_with(model, gradients, rates, &mut hook)
        });
        if let Some(teacher) = &mut self.teacher {
            teacher.update(EmaTiming::AfterStep, &model, clock.progress());
        }
        self.model = Some(model);
        let correct = profile.time(Phase::Monitors, || {
            let (probe, labels) = (self.probe.as_mut()?, labels?);
            let images = self.context.plan.config.train.batch_size;
            let factor = images as f64 / 256.0;
            let mut views: Vec<_> = representations.into_iter().map(Some).collect();
            let probed = self.probed_views.iter().filter_map(|&view| views[view].take());
            Some(probe.step(probed.collect(), &labels, factor, &self.ranks, images))
        });
        self.pending.push(Pending { readings, correct });
        self.method.after_step(clock);
        self.progress.step += 1;
    }

    fn gradients(&mut self, model: &Model<B, M>, batch: HostBatch, clock: Clock) -> StepGradients<B::InnerBackend> {
        let config = &self.context.plan.config;
        let context = StepContext {
            model,
            teacher: self.teacher.as_ref(),
            clock,
            seed: config.run.seed,
            profile: self.profile,
            ranks: &self.ranks,
        };
        let (method, device) = (self.method.as_mut(), &self.device);
        match config.train.micro_batch {
            Some(micro_batch) if self.ranks.micro_batches(batch.n, micro_batch).len() > 1 => {
                cached_step_gradients(&context, method, &batch, micro_batch, device)
            }
            _ => {
                let batch = self.profile.time(Phase::ToDevice, || batch.to_device::<B>(device));
                step_gradients(&context, method, batch)
            }
        }
    }

    /// The evaluation after `done` epochs, if it is due; whether it is the best so far. An interrupted one is still due when the
    /// run is resumed.
    fn evaluate_if_due(&mut self, done: u64) -> Result<bool, RunError> {
        if !self.progress.evaluation_due {
            return Ok(false);
        }
        let ranks = self.ranks.clone();
        let is_best = ranks.decided_by_first(|| {
            let measured = self.measure(Moment::DuringRun);
            let accuracy = self.evaluated(measured)?;
            self.progress.evaluation_due = false;
            match accuracy {
                Some(accuracy) => Ok(self.record(done, &accuracy)?),
                None => Ok(false),
            }
        })?;
        self.progress.evaluation_due = false;
        Ok(is_best)
    }

    fn end_epoch(&mut self, done: u64) -> Result<(), RunError> {
        let config = &self.context.plan.config;
        let last = done == config.train.epochs;
        self.progress.last_epoch = self.progress.losses.mean();
        self.progress.losses = ReadingMeans::default();
        // The last epoch is evaluated with the linear probe, after its checkpoint is safe.
        let evaluate = !last && config.eval.every > 0 && done.is_multiple_of(config.eval.every);
        self.progress.evaluation_due = evaluate;
        let is_best = self.evaluate_if_due(done)?;
        if last || is_best || done.is_multiple_of(config.train.checkpoint_every) {
            self.save(is_best)?;
        }
        // That of the last epoch is written with the results.
        let is_due = self.reported.is_none_or(|at| at.elapsed() >= REPORT_INTERVAL);
        if !last && (evaluate || is_due) {
            let standing = self.standing(None);
            self.profile.time(Phase::Monitors, || (self.report)(&standing));
            self.reported = Some(Instant::now());
        }
        Ok(())
    }
}
