//! What a run tells while it trains: lines of metrics, evaluations, and the warning when something goes wrong.

use super::Trainer;
use crate::backend::TrainBackend;
use crate::console::duration;
use crate::eval::Collapse;
use crate::memory;
use crate::metrics::{EvaluationMetric, Metric, TrainingMetric};
use crate::optim::LearningRates;
use crate::pretrain::evaluate::{Accuracy, accuracy};
use crate::pretrain::parts::{TrainBackbone, TwinLoss};
use crate::pretrain::profile::Phase;
use crate::pretrain::step::valid;
use crate::summary::{LossMeans, LossValues, UntrainedAccuracy, start_of};
use anyhow::{Result, anyhow};
use burn::tensor::ElementConversion;
use std::time::Instant;

impl<B: TrainBackend, M: TrainBackbone<B>, L: TwinLoss<B>> Trainer<'_, B, M, L> {
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
        let mut means = LossMeans::default();
        let first_step = self.progress.step - self.pending.len() as u64 + 1;
        let mut right = Vec::new();
        for (step, pending) in (first_step..).zip(std::mem::take(&mut self.pending)) {
            right.extend(pending.right.map(|part| part.into_scalar().elem::<f64>()));
            let values = pending.values.read();
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
        let images_per_second = interval.images_per_second(self.job.plan.config.train.batch_size);
        let steps_left = self.job.plan.schedule.total_steps - self.progress.step;
        let images_left = (steps_left as usize * self.job.plan.config.train.batch_size) as f64;
        let metric = TrainingMetric {
            step: self.progress.step,
            epoch,
            values: means.mean().expect("an interval has steps"),
            loss_floor: self.loss_floor,
            lr_weights: rates.weights,
            lr_biases: rates.biases,
            images_per_second,
            data_wait: interval.data_wait(),
            seconds_left: Some(images_left / images_per_second),
            peak_memory_mib: memory::peak().map(|bytes| bytes as f64 / 1024.0 / 1024.0),
            online_top1: (!right.is_empty()).then(|| right.iter().sum::<f64>() / right.len() as f64),
        };
        self.status(&metric);
        self.tell(&Metric::Training(metric))
    }

    pub(super) fn tell(&mut self, metric: &Metric) -> Result<()> {
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
            "epoch {}/{} step {}/{}, {} left",
            metric.epoch,
            plan.config.train.epochs,
            metric.step,
            plan.schedule.total_steps,
            duration(metric.seconds_left.unwrap_or_default())
        );
        self.job.console.status(
            &place,
            &format!(
                "loss {:.2}{floor}{knn}, {:.0} images/s",
                metric.values.loss, metric.images_per_second
            ),
        );
    }

    /// Writes an evaluation down; whether it is the best so far.
    pub(super) fn record(&mut self, epoch: u64, accuracy: &Accuracy) -> Result<bool> {
        let step = self.progress.step;
        let metric = EvaluationMetric::of(step, epoch, accuracy);
        self.tell(&Metric::Evaluation(metric))?;
        self.job
            .console
            .line(&format!("epoch {epoch}: kNN top-1 {:.4}", accuracy.knn_top1));
        let Collapse { dead, width, .. } = accuracy.collapse;
        if accuracy.collapse.is_total() {
            self.job.console.warn(&format!(
                "{dead} of {width} features do not vary any more: the network has collapsed; lower loss.lambda or the learning rate"
            ));
        }
        let is_best = self.progress.best.is_none_or(|(best, _)| accuracy.knn_top1 > best);
        if is_best {
            self.progress.best = Some((accuracy.knn_top1, step));
        }
        Ok(is_best)
    }

    /// Judges the network as it is; its embeddings too where they are told.
    pub(super) fn measure(&self, with_linear: bool, with_embeddings: bool) -> Result<Option<Accuracy>> {
        let model = valid(self.model.as_ref().expect("present between two steps"));
        self.profile.time(Phase::Monitors, || {
            accuracy(
                &model.backbone,
                with_embeddings.then_some(&model.projector),
                &self.job.sources,
                &self.job.plan.config,
                with_linear,
                &self.device,
            )
        })
    }

    pub(super) fn measure_untrained(&mut self) -> Result<()> {
        let Some(accuracy) = self.measure(true, false)? else {
            return Ok(());
        };
        let linear_top1 = accuracy.linear.as_ref().map(|linear| linear.top1);
        self.progress.untrained = UntrainedAccuracy {
            knn_top1: Some(accuracy.knn_top1),
            linear_top1,
        };
        let linear = linear_top1.unwrap_or_default();
        self.job.console.line(&format!(
            "{}: kNN top-1 {:.4}, linear top-1 {linear:.4}",
            start_of(self.progress.from.as_deref()),
            accuracy.knn_top1
        ));
        Ok(())
    }
}
