//! What a run logs while it trains: lines of metrics, evaluations, and the warning when something goes wrong.

use super::Trainer;
use super::moment::Moment;
use crate::backend::TrainBackend;
use crate::console::Status;
use crate::context::RunContext;
use crate::error::RunError;
use crate::evaluation::{
    Accuracy, EvaluationError, L2, LinearAccuracy, LinearChoice, LinearProtocol, LinearWanted, Network,
    NetworkOnDevice, SgdProtocol, Wanted, Watch, baseline_hash, evaluate, linear_choice, linear_sgd, network_hash,
};
use crate::host_memory;
use crate::metrics::{EvaluationMetric, Metric, ReadingMeans, Readings, TrainingMetric};
use crate::optim::LearningRates;
use crate::summary::{UntrainedAccuracy, start_of};
use crate::training::{OnlineProbe, Phase, SharedBaseline, TrainBackbone};
use anyhow::{Result, anyhow};
use barlow_eval::Collapse;
use barlow_model::{Model, state_dict};
use burn::module::AutodiffModule;
use burn::tensor::ElementConversion;
use std::time::Instant;

impl<B: TrainBackend, M: TrainBackbone<B>> Trainer<'_, B, M> {
    /// Reads the losses since the last line, checks them and writes the line.
    pub(super) fn log_interval(&mut self, epoch: u64, rates: LearningRates) -> Result<()> {
        if self.interval.is_empty() {
            return Ok(());
        }
        let profile = self.profile;
        profile.time(Phase::Monitors, || self.write_interval(epoch, rates))
    }

    fn write_interval(&mut self, epoch: u64, rates: LearningRates) -> Result<()> {
        let waiting = Instant::now();
        let mut means = ReadingMeans::default();
        let first_step = self.progress.step - self.pending.len() as u64 + 1;
        let mut correct = Vec::new();
        for (step, pending) in (first_step..).zip(std::mem::take(&mut self.pending)) {
            correct.extend(pending.correct.map(|part| part.into_scalar().elem::<f64>()));
            let readings = pending.readings.read();
            if !readings.is_finite() {
                return Err(self.diverged(step, epoch, &readings));
            }
            means.add(&readings);
            self.progress.losses.add(&readings);
            self.last_finite = Some((step, readings));
        }
        let waited = waiting.elapsed();
        self.interval.extend(waited);
        self.progress.training_seconds += waited.as_secs_f64();
        let interval = std::mem::take(&mut self.interval);
        let images_per_second = interval.images_per_second(self.context.plan.config.train.batch_size);
        let steps_left = self.context.plan.schedule.total_steps - self.progress.step;
        let images_left = (steps_left as usize * self.context.plan.config.train.batch_size) as f64;
        let metric = TrainingMetric {
            step: self.progress.step,
            epoch,
            readings: means.mean().expect("an interval has steps"),
            loss_floor: self.method.outlook().floor,
            lr_weights: rates.weights,
            lr_biases: rates.biases,
            images_per_second,
            data_wait: interval.data_wait(),
            seconds_left: Some(images_left / images_per_second),
            peak_memory_mib: host_memory::peak().map(|bytes| bytes as f64 / 1024.0 / 1024.0),
            online_top1: (!correct.is_empty()).then(|| correct.iter().sum::<f64>() / correct.len() as f64),
        };
        self.status(&metric);
        let steps = [self.progress.step, self.context.plan.schedule.total_steps];
        let (outlook, codes) = (self.method.outlook(), self.method.codes());
        for warning in self.collapse.warnings(&metric.readings, outlook, codes, steps) {
            self.context.console.warn(&warning);
        }
        self.log(&Metric::Training(metric))
    }

    pub(super) fn log(&mut self, metric: &Metric) -> Result<()> {
        self.sinks.iter_mut().try_for_each(|sink| sink.write(metric))
    }

    fn diverged(&self, step: u64, epoch: u64, readings: &Readings) -> anyhow::Error {
        let before = self.last_finite.as_ref().map_or(String::new(), |(step, readings)| {
            format!("; the last finite values: {readings} at step {step}")
        });
        let what = readings.iter().find(|(_, value)| !value.is_finite());
        let (name, value) = what.unwrap_or(("loss", f64::NAN));
        anyhow!(
            "the {} is {value} at step {step} (epoch {epoch}){before}; the last checkpoint is kept in {}; \
             lower optimizer.learning_rate_weights or lengthen schedule.warmup_epochs",
            name.replace('_', " "),
            self.context.run.checkpoints().display()
        )
    }

    fn status(&self, metric: &TrainingMetric) {
        let plan = &self.context.plan;
        self.context.console.status(&Status {
            epoch: (metric.epoch, plan.config.train.epochs),
            step: (metric.step, plan.schedule.total_steps),
            loss: metric.readings.loss(),
            floor: metric.loss_floor,
            knn: self.progress.best.map(|(knn, _)| knn),
            images_per_second: metric.images_per_second,
            seconds_left: metric.seconds_left.unwrap_or_default(),
        });
    }

    /// Writes an evaluation down; whether it is the best so far.
    pub(super) fn record(&mut self, epoch: u64, accuracy: &Accuracy) -> Result<bool> {
        let step = self.progress.step;
        let metric = EvaluationMetric::of(step, epoch, accuracy);
        self.log(&Metric::Evaluation(metric))?;
        self.context
            .console
            .line(&format!("epoch {epoch}: kNN top-1 {:.4}", accuracy.knn_top1));
        let Collapse { dead, width, .. } = accuracy.collapse;
        if accuracy.collapse.is_total() {
            self.context.console.warn(&format!(
                "{dead} of {width} features do not vary any more: the network has collapsed; lower loss.lambda or the learning rate"
            ));
        }
        let is_best = self.progress.best.is_none_or(|(best, _)| accuracy.knn_top1 > best);
        if is_best {
            self.progress.best = Some((accuracy.knn_top1, step));
        }
        Ok(is_best)
    }

    /// The network that is evaluated: as it is, or its teacher where the method says so.
    pub(super) fn evaluated_model(&self) -> Model<B::InnerBackend, M::InnerModule> {
        match self.teacher.as_ref().filter(|teacher| teacher.is_evaluated()) {
            Some(teacher) => teacher.model().clone(),
            None => self.model.as_ref().expect("present between two steps").valid(),
        }
    }

    /// Evaluates the network as far as is wanted at this moment of the run.
    ///
    /// # Errors
    /// If an image cannot be read, or the run should stop.
    pub(super) fn measure(&self, moment: Moment) -> Result<Option<Accuracy>, EvaluationError> {
        let (model, context) = (self.evaluated_model(), self.context);
        let config = &context.plan.config;
        let choice = self.linear_choice();
        let probe = self.probe.as_ref().map(OnlineProbe::classifier);
        let linear = match (moment, choice, &probe) {
            (Moment::Untrained | Moment::Trained, LinearChoice::Exact, _) => LinearWanted::Exact(L2::default()),
            (Moment::Trained, LinearChoice::Online, Some(probe)) => LinearWanted::Trained(probe),
            _ => LinearWanted::No,
        };
        let by_sgd = moment != Moment::DuringRun && choice == LinearChoice::Sgd;
        let hash = match by_sgd {
            true => Some(network_hash(
                &state_dict(&model).map_err(anyhow::Error::from)?,
                &context.sources,
                config,
            )),
            false => None,
        };
        let wanted = Wanted {
            embeddings: moment != Moment::Untrained,
            keep_features: moment == Moment::Trained,
            ..Wanted::of(config, linear)
        };
        let network = NetworkOnDevice {
            backbone: model.backbone,
            projector: wanted.embeddings.then_some(model.heads.projector),
            device: self.device.clone(),
        };
        let watch = Watch {
            console: context.console.as_ref(),
            stop: &context.stop,
        };
        self.profile.time(Phase::Monitors, || {
            let mut accuracy = evaluate(&network, &context.sources, config, &wanted, &watch)?;
            if let (Some(accuracy), Some(hash)) = (&mut accuracy, hash) {
                accuracy.linear = linear_in_run(context, &network, &hash, &watch)?;
            }
            Ok(accuracy)
        })
    }

    /// The linear evaluation that the config and the size of the set call for.
    fn linear_choice(&self) -> LinearChoice {
        let context = self.context;
        let model = self.model.as_ref().expect("present between two steps");
        let features = model.backbone.feature_dim();
        let (images, classes) = (context.sources.train.len(), context.sources.classes.len());
        linear_choice(&context.plan.config, images, features, classes).0
    }

    /// What the evaluation before the first step depends on.
    fn baseline_key(&self) -> Result<String> {
        let context = self.context;
        let backbone = state_dict::<B::InnerBackend, _>(&self.evaluated_model().backbone)?;
        let choice = format!("{:?}", self.linear_choice());
        let device = format!(
            "{} {} {}",
            context.device.backend,
            context.device.name,
            rayon::current_num_threads()
        );
        Ok(baseline_hash(
            &backbone,
            &context.sources,
            &context.plan.config,
            &format!("{choice} {device}"),
        ))
    }

    /// Evaluates the network before its first step, or reads the evaluation of an equal one. The online probe knows nothing yet, so
    /// that it is not read. On rank 0 alone.
    ///
    /// # Errors
    /// [`RunError::Interrupted`] after a checkpoint was written; [`RunError::Failed`] if an image cannot be read.
    pub fn measure_untrained(&mut self) -> Result<(), RunError> {
        let shared = match &self.context.baselines {
            Some(folder) => Some(SharedBaseline::new(folder, &self.baseline_key()?)),
            None => None,
        };
        let found = shared.as_ref().and_then(SharedBaseline::read);
        let origin = if found.is_some() { " (from an equal run)" } else { "" };
        let untrained = match found {
            Some(found) => found,
            None => {
                let measured = self.measure(Moment::Untrained);
                let Some(accuracy) = self.evaluated(measured)? else {
                    return Ok(());
                };
                let untrained = UntrainedAccuracy {
                    knn_top1: Some(accuracy.knn_top1),
                    linear_top1: accuracy.linear.as_ref().map(|linear| linear.top1),
                };
                if let Some(Err(error)) = shared.map(|shared| shared.write(&untrained)) {
                    self.context
                        .console
                        .warn(&format!("the untrained evaluation is not shared: {error:#}"));
                }
                untrained
            }
        };
        self.progress.untrained = untrained;
        let text = |name: &str, top1: Option<f64>| top1.map_or(String::new(), |top1| format!("{name} top-1 {top1:.4}"));
        self.context.console.line(&format!(
            "{}: {}{}{origin}",
            start_of(self.progress.from.as_deref()),
            text("kNN", untrained.knn_top1),
            text(", linear", untrained.linear_top1)
        ));
        Ok(())
    }

    /// Evaluates the trained network.
    ///
    /// # Errors
    /// As for [`Trainer::measure_untrained`].
    pub(super) fn measure_trained(&mut self) -> Result<Option<Accuracy>, RunError> {
        let measured = self.measure(Moment::Trained);
        self.evaluated(measured)
    }

    /// The result of an evaluation; a checkpoint is written if it was interrupted, and it is repeated when the run is resumed.
    pub(super) fn evaluated(
        &mut self,
        measured: Result<Option<Accuracy>, EvaluationError>,
    ) -> Result<Option<Accuracy>, RunError> {
        match measured {
            Ok(accuracy) => Ok(accuracy),
            Err(EvaluationError::Stopped(_)) => Err(self.interrupt_here()?),
            Err(EvaluationError::Failed(error)) => Err(error.into()),
        }
    }
}

/// The official linear protocol within a run, on its last or first weights.
fn linear_in_run(
    context: &RunContext,
    network: &dyn Network,
    hash: &str,
    watch: &Watch<'_>,
) -> Result<Option<LinearAccuracy>, EvaluationError> {
    let config = &context.plan.config;
    let protocol = SgdProtocol {
        epochs: config.eval.linear_epochs,
        seed: config.run.seed,
        ..SgdProtocol::default()
    };
    let state = context
        .run
        .evaluation("linear-sgd-in-run")
        .with_extension("state.safetensors");
    let results = linear_sgd(network, hash, &context.sources, config, &protocol, &state, watch)?;
    // One that cannot be removed is of another network at the next evaluation, and replaced.
    drop(std::fs::remove_file(&state));
    Ok(results.first().map(|result| LinearAccuracy {
        protocol: LinearProtocol::Sgd,
        top1: result.last().top1,
        top5: result.last().top5,
        fit: None,
    }))
}
