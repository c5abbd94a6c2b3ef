//! The training loop of a detector, and its test at the end.
//!
//! A run has the folder, the log, the checkpoints and the lock of any other; killed and resumed, it ends with the same bytes on the CPU.

use super::batch::{DetectionBatch, TrainViews, padded};
use super::job::{DetectTask, DetectorJob, DetectorStart, TrainedDetector};
use super::precise::precise_statistics;
use super::predict::Prediction;
use super::recipe::NormChoice;
use crate::backend::TrainBackend;
use crate::checkpoint::{Checkpoint, Progress};
use crate::console::Status;
use crate::error::RunError;
use crate::evaluation::{EvaluationError, Watch};
use crate::files::write_atomic;
use crate::host_memory;
use crate::metrics::{Metric, MetricsLog, MetricsSink, ReadingMeans, Readings, TrainingMetric};
use crate::optim::{LearningRates, Optimizer, ParamRule, Rule, Select, Sgd};
use crate::run_dir::RunDir;
use anyhow::{Context, Result, anyhow};
use barlow_detect::{C4Detector, DetectConfig, ImageTargets, Losses, StepKey, StepModes, StepSchedule};
use barlow_model::{ParamKind, StateDict, initialize_with, load_state_dict, named_shapes, state_dict, strip_prefix};
use burn::module::AutodiffModule;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::backend::Backend;
use burn::tensor::{ElementConversion, Tensor, TensorData};
use serde_json::Value;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// Batches that are made ahead of the device.
const AHEAD: usize = 2;
/// The parts of the backbone up to the third stage.
const TRUNK: [&str; 5] = ["conv1.", "bn1.", "layer1.", "layer2.", "layer3."];

/// Trains a detector, from its last checkpoint if it has one, and tests it.
///
/// # Errors
/// [`RunError::Interrupted`] after a checkpoint was written; [`RunError::Usage`] if the folder holds another run; [`RunError::Failed`] when
/// an image cannot be read, a loss is not finite, or a file cannot be written.
pub fn train_detector<B: TrainBackend>(job: &DetectorJob<'_>, device: &B::Device) -> Result<TrainedDetector, RunError> {
    let mut trainer = Trainer::<B>::open(job, device)?;
    trainer.train()?;
    trainer.test()
}

/// A detector at one step.
struct Trainer<'a, B: TrainBackend> {
    job: &'a DetectorJob<'a>,
    device: B::Device,
    run: RunDir,
    _lock: crate::run_dir::RunLock,
    log: MetricsLog,
    /// Absent only while a step owns it.
    detector: Option<C4Detector<B>>,
    optimizer: Optimizer<B::InnerBackend>,
    progress: Progress,
    schedule: StepSchedule,
    config: DetectConfig,
    modes: StepModes,
    started: Instant,
    earlier_seconds: f64,
    interval: Interval,
}

/// The steps since the last line of metrics.
#[derive(Default)]
struct Interval {
    means: ReadingMeans,
    steps: u64,
    took: Duration,
    waited: Duration,
}

impl<'a, B: TrainBackend> Trainer<'a, B> {
    fn open(job: &'a DetectorJob<'a>, device: &B::Device) -> Result<Self, RunError> {
        let started = Instant::now();
        let config = job.recipe.to_toml();
        let (run, lock) = match RunDir::open(job.root) {
            Ok(run) => {
                let lock = run.lock().map_err(RunError::usage)?;
                (run, lock)
            }
            Err(_) => RunDir::claim(job.root).map_err(RunError::usage)?,
        };
        let mut kept = Checkpoint::newest(&run)?;
        for line in kept.set_aside()? {
            job.console.warn(&line);
        }
        let identity = job.identity();
        let detector = C4Detector::new(
            backbone(job, device)?,
            job.resnet.feature_dim(),
            &job.parts(),
            job.seed,
            device,
        );
        let rule = Rule::Sgd(Sgd {
            momentum: job.recipe.optimizer.momentum,
            weight_decay: job.recipe.optimizer.weight_decay,
        });
        let mut optimizer = Optimizer::new(rule).with_rules(rules(job));
        let (detector, progress) = match kept.checkpoint {
            Some(checkpoint) => {
                check_same(&checkpoint.progress, &identity, job)?;
                let detector = restored(detector, &mut optimizer, &checkpoint, device)?;
                (detector, checkpoint.progress)
            }
            None => {
                write_atomic(&run.config(), config.as_bytes())?;
                let progress = Progress {
                    method: Some(identity),
                    optimizer: Some("sgd".to_owned()),
                    from: (job.start != DetectorStart::Random).then(|| job.origin.to_owned()),
                    ..Progress::start(config, job.images())
                };
                (detector, progress)
            }
        };
        Ok(Self {
            log: MetricsLog::open(&run.metrics(), progress.step, false)?,
            job,
            device: device.clone(),
            run,
            _lock: lock,
            detector: Some(detector),
            optimizer,
            earlier_seconds: progress.wall_seconds,
            progress,
            schedule: job.schedule(),
            config: job.step_config(true),
            modes: job.modes(),
            started,
            interval: Interval::default(),
        })
    }

    fn train(&mut self) -> Result<(), RunError> {
        let job = self.job;
        let steps = job.recipe.train.steps;
        let from = self.progress.step;
        job.console.start(from, steps);
        // The thread ends when its batches are no longer taken.
        let (sender, receiver) = sync_channel::<Result<DetectionBatch>>(AHEAD);
        let trained = std::thread::scope(|scope| {
            let mut views = views(job);
            let size = job.recipe.train.batch_size;
            scope.spawn(move || {
                for step in from..steps {
                    let batch = views.batch(step, size);
                    let failed = batch.is_err();
                    if sender.send(batch).is_err() || failed {
                        break;
                    }
                }
            });
            self.run_steps(receiver)
        });
        job.console.finish();
        trained
    }

    fn run_steps(&mut self, batches: Receiver<Result<DetectionBatch>>) -> Result<(), RunError> {
        let job = self.job;
        let train = &job.recipe.train;
        let mut skipped = 0;
        let mut saved = self.progress.step;
        while self.progress.step < train.steps {
            if job.stop.is_set() {
                return Err(self.interrupt()?);
            }
            let start = Instant::now();
            let batch = batches.recv().context("the batches ended before the steps")??;
            self.interval.waited += start.elapsed();
            if batch.skipped.len() > skipped {
                skipped = batch.skipped.len();
                if let Some(line) = batch.skipped.line("training") {
                    job.console.warn(&line);
                }
            }
            let readings = self.step(&batch);
            self.progress.step += 1;
            self.interval.took += start.elapsed();
            self.interval.steps += 1;
            if !readings.is_finite() {
                return Err(self.diverged(&readings).into());
            }
            self.interval.means.add(&readings);
            self.progress.losses.add(&readings);
            job.console.step(self.progress.step);
            let at = self.progress.step;
            if at.is_multiple_of(train.log_every) || at == train.steps {
                self.log_interval()?;
            }
            if at.is_multiple_of(train.checkpoint_every) || at == train.steps {
                self.log_interval()?;
                self.save()?;
                saved = at;
            }
        }
        // A run that was interrupted after its last step has its checkpoint.
        if saved < self.progress.step {
            self.save()?;
        }
        Ok(())
    }

    /// One step: the losses of each part of the batch, their gradients summed, the update.
    fn step(&mut self, batch: &DetectionBatch) -> Readings {
        let job = self.job;
        let size = batch.views.len();
        let part = job.recipe.train.micro_batch.unwrap_or(size).min(size);
        let detector = self.detector.take().expect("present between two steps");
        let mut sum = GradientsAccumulator::new();
        let mut only = None;
        let mut readings: Vec<f64> = Vec::new();
        for (number, views) in batch.views.chunks(part).enumerate() {
            let share = views.len() as f64 / size as f64;
            let images: Vec<_> = views.iter().map(|(view, _)| view).collect();
            let sizes: Vec<[usize; 2]> = images.iter().map(|view| view.size).collect();
            let targets: Vec<ImageTargets> = views.iter().map(|(_, targets)| targets.clone()).collect();
            let (values, shape) = padded(&images, job.normalization.channels(), job.recipe.views.size_divisor);
            let pixels = Tensor::from_data(TensorData::new(values, shape), &self.device);
            let key = StepKey {
                seed: job.seed,
                step: self.progress.step,
                first_image: number * part,
            };
            let losses = detector.losses(pixels, &sizes, &targets, &self.config, &key, self.modes);
            let values = values_of(&losses);
            readings.resize(values.len(), 0.0);
            readings
                .iter_mut()
                .zip(&values)
                .for_each(|(sum, value)| *sum += share * value);
            let gradients = (losses.total() * share).backward();
            let gradients = GradientsParams::from_grads(gradients, &detector);
            if part == size {
                only = Some(gradients);
            } else {
                sum.accumulate(&detector, gradients);
            }
        }
        let gradients = only.unwrap_or_else(|| sum.grads());
        let rate = self.schedule.at(self.progress.step);
        let rates = LearningRates {
            weights: rate,
            biases: rate,
        };
        self.detector = Some(self.optimizer.step(detector, gradients, rates));
        let names = [
            "loss",
            "rpn_class_loss",
            "rpn_box_loss",
            "class_loss",
            "box_loss",
            "mask_loss",
        ];
        Readings::new(names[..readings.len()].iter().copied(), readings)
    }

    fn log_interval(&mut self) -> Result<()> {
        let interval = std::mem::take(&mut self.interval);
        let Some(readings) = interval.means.mean() else {
            return Ok(());
        };
        let train = &self.job.recipe.train;
        let step = self.progress.step;
        self.progress.training_seconds += interval.took.as_secs_f64();
        let images = (interval.steps as usize * train.batch_size) as f64;
        let images_per_second = images / interval.took.as_secs_f64().max(1e-9);
        let seconds_left = ((train.steps - step) as usize * train.batch_size) as f64 / images_per_second;
        let [epoch, epochs] = [step, train.steps].map(|step| self.epoch(step));
        let rate = self.schedule.at(step - 1);
        self.job.console.status(&Status {
            epoch: (epoch, epochs),
            step: (step, train.steps),
            loss: readings.loss(),
            floor: None,
            knn: None,
            images_per_second,
            seconds_left,
        });
        self.log.write(&Metric::Training(TrainingMetric {
            step,
            epoch,
            readings,
            loss_floor: None,
            lr_weights: rate,
            lr_biases: rate,
            images_per_second,
            data_wait: interval.waited.as_secs_f64() / interval.took.as_secs_f64().max(1e-9),
            seconds_left: Some(seconds_left),
            peak_memory_mib: host_memory::peak().map(|bytes| bytes as f64 / 1024.0 / 1024.0),
            online_top1: None,
        }))
    }

    /// The pass over the images in which a step ends, from 1.
    fn epoch(&self, steps: u64) -> u64 {
        let images = self.job.sets.train.images.len().max(1) as u64;
        (steps * self.job.recipe.train.batch_size as u64)
            .div_ceil(images)
            .max(1)
    }

    fn diverged(&self, readings: &Readings) -> anyhow::Error {
        let bad = readings.iter().find(|(_, value)| !value.is_finite());
        let (name, value) = bad.unwrap_or(("loss", f64::NAN));
        anyhow!(
            "the {} is {value} at step {}; the last checkpoint is kept in {}; lower optimizer.learning_rate or lengthen \
             optimizer.warmup_steps",
            name.replace('_', " "),
            self.progress.step,
            self.run.checkpoints().display()
        )
    }

    fn save(&mut self) -> Result<()> {
        self.progress.wall_seconds = self.earlier_seconds + self.started.elapsed().as_secs_f64();
        let detector = self.detector.as_ref().expect("present between two steps").valid();
        let checkpoint = Checkpoint {
            progress: self.progress.clone(),
            model: state_dict(&detector)?,
            optimizer: self.optimizer.state(),
            probe: StateDict::new(),
            teacher: StateDict::new(),
            method: StateDict::new(),
        };
        checkpoint.save(&self.run, self.job.recipe.train.keep, false)?;
        Ok(())
    }

    fn interrupt(&mut self) -> Result<RunError> {
        self.log_interval()?;
        self.save()?;
        Ok(RunError::Interrupted(format!(
            "interrupted at step {} of {}; a checkpoint is in {}; the same command continues it",
            self.progress.step,
            self.job.recipe.train.steps,
            self.job.root.display()
        )))
    }

    fn test(self) -> Result<TrainedDetector, RunError> {
        let job = self.job;
        let watch = Watch {
            console: job.console,
            stop: job.stop,
        };
        let detector = self.precise(&watch)?;
        let prediction = Prediction {
            set: &job.sets.test,
            views: &job.recipe.views,
            normalization: job.normalization,
            config: job.step_config(false),
            most: job.recipe.eval.detections,
        };
        let found = prediction.run(&detector, &watch, &self.device)?;
        if let Some(line) = found.skipped.line("test") {
            job.console.warn(&line);
        }
        found.write(&job.sets.test, &self.run.root().join("detections.json"))?;
        Ok(TrainedDetector {
            found,
            seconds: self.earlier_seconds + self.started.elapsed().as_secs_f64(),
        })
    }
}

impl<B: TrainBackend> Trainer<'_, B> {
    /// The trained detector with the statistics of further training batches, whose weights change no more.
    fn precise(&self, watch: &Watch<'_>) -> Result<C4Detector<B::InnerBackend>, EvaluationError> {
        let job = self.job;
        let train = &job.recipe.train;
        let detector = self.detector.as_ref().expect("present between two steps").valid();
        if train.precise_norm == 0 || job.recipe.model.norm == NormChoice::Frozen {
            return Ok(detector);
        }
        let what = "estimating the norms' statistics".to_owned();
        let mut phase = watch.phase(what, train.precise_norm as usize);
        let mut views = views(job);
        // One pass a batch, as large as those of training.
        let size = train.micro_batch.unwrap_or(train.batch_size);
        precise_statistics(detector, train.precise_norm, |detector, number| {
            phase.at(number as usize)?;
            let step = train.steps + number;
            let batch = views.batch(step, size)?;
            let images: Vec<_> = batch.views.iter().map(|(view, _)| view).collect();
            let sizes: Vec<[usize; 2]> = images.iter().map(|view| view.size).collect();
            let targets: Vec<ImageTargets> = batch.views.iter().map(|(_, targets)| targets.clone()).collect();
            let (values, shape) = padded(&images, job.normalization.channels(), job.recipe.views.size_divisor);
            let pixels = Tensor::from_data(TensorData::new(values, shape), &self.device);
            let key = StepKey {
                seed: job.seed,
                step,
                first_image: 0,
            };
            detector.losses(pixels, &sizes, &targets, &self.config, &key, self.modes);
            Ok(())
        })
    }
}

fn views<'a>(job: &'a DetectorJob<'a>) -> TrainViews<'a> {
    TrainViews::new(
        &job.sets.train,
        &job.recipe.views,
        job.normalization,
        job.seed,
        job.task == DetectTask::Mask,
    )
}

/// The backbone with the run's weights, or with random ones.
fn backbone<B: TrainBackend>(job: &DetectorJob<'_>, device: &B::Device) -> Result<barlow_model::ResNet<B>> {
    let backbone = job.resnet.init::<B>(device);
    if job.start == DetectorStart::Random {
        return Ok(initialize_with(backbone, job.seed, job.conv_init));
    }
    load_state_dict(backbone, &strip_prefix(job.weights, "backbone."))
        .with_context(|| format!("the weights of {} do not fit its backbone", job.origin))
}

/// What is not trained, and what decays: biases as weights, norms never.
fn rules(job: &DetectorJob<'_>) -> Vec<ParamRule> {
    let mut rules = vec![ParamRule {
        decay: Some(true),
        ..ParamRule::new(Select::Kind(ParamKind::Bias))
    }];
    let still = |select| ParamRule {
        factor: Some(0.0),
        ..ParamRule::new(select)
    };
    if job.recipe.model.norm == NormChoice::Frozen {
        rules.push(still(Select::Kind(ParamKind::Norm)));
    }
    if job.start == DetectorStart::Frozen {
        rules.extend(TRUNK.map(|part| still(Select::Prefix(format!("backbone.{part}")))));
    }
    rules
}

/// That a checkpoint is of the same detector, images and settings.
fn check_same(stored: &Progress, identity: &Value, job: &DetectorJob<'_>) -> Result<(), RunError> {
    if stored.method.as_ref() == Some(identity) {
        return Ok(());
    }
    let empty = serde_json::Map::new();
    let object = |value: Option<&'_ Value>| {
        value
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_else(|| empty.clone())
    };
    let (stored, wanted) = (object(stored.method.as_ref()), object(Some(identity)));
    let changed = wanted.iter().find(|(key, value)| stored.get(*key) != Some(value));
    let key = changed.map_or("settings", |(key, _)| key.as_str());
    Err(RunError::usage(format!(
        "{} was begun with other {key}; remove the folder to train it again, or give what it was begun with",
        job.root.display()
    )))
}

fn restored<B: TrainBackend>(
    detector: C4Detector<B>,
    optimizer: &mut Optimizer<B::InnerBackend>,
    checkpoint: &Checkpoint,
    device: &B::Device,
) -> Result<C4Detector<B>> {
    let detector = load_state_dict(detector, &checkpoint.model).context("the checkpoint does not fit the detector")?;
    let step = checkpoint.progress.step;
    let state = || "the checkpoint's optimiser state is not usable";
    optimizer
        .load_state(&checkpoint.optimizer, &checkpoint.model, step, device)
        .with_context(state)?;
    let shapes = named_shapes(&detector);
    if step > 0 {
        let parameters = shapes.iter().map(|shape| (shape.name.as_str(), shape.kind));
        optimizer.check_complete(parameters).with_context(state)?;
    }
    Ok(detector)
}

/// The sum of the losses, and each of them.
fn values_of<B: Backend>(losses: &Losses<B>) -> Vec<f64> {
    let parts = [&losses.rpn_cls, &losses.rpn_loc, &losses.cls, &losses.box_reg];
    let parts = parts.into_iter().chain(&losses.mask);
    let all: Vec<Tensor<B, 1>> = std::iter::once(losses.total()).chain(parts.cloned()).collect();
    // One transfer.
    let values = Tensor::cat(all, 0).detach().into_data().convert::<f32>();
    let values: Vec<f32> = values.into_vec().expect("converted to f32");
    values.into_iter().map(|value| value.elem()).collect()
}
