//! What a run will do, worked out before its first step; the lines that say so: `report.rs`.

mod report;

use crate::buffers;
use crate::config::Config;
use crate::memory::Memory;
use crate::optim::{LearningRates, peak_rates, settle_rates};
use crate::schedule::Schedule;
use barlow_data::DataFormat;
use barlow_loss::{LossForm, Normalization, Objective, loss_start};

/// What a run will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Name of the recipe.
    pub recipe: String,
    /// The resolved config.
    pub config: Config,
    /// How many images there are.
    pub images: ImageCounts,
    /// Optimiser steps in an epoch.
    pub steps_per_epoch: u64,
    /// Course of the rates.
    pub schedule: Schedule,
    /// Peak rates.
    pub peak: LearningRates,
    /// Whether the config gave the weights' rate, or it is a default.
    pub rates_given: bool,
    /// Trained values.
    pub parameters: Parameters,
    /// The most bytes of one tensor on the device; none without a limit.
    pub largest_buffer: Option<u64>,
}

/// Trained values of the network's two parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Images to representations.
    pub backbone: usize,
    /// Representations to embeddings.
    pub projector: usize,
}

/// How many images a run has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageCounts {
    /// To train on.
    pub train: usize,
    /// To judge features on.
    pub test: usize,
    /// Classes; 0 without labels.
    pub classes: usize,
    /// What kind of set they are.
    pub format: DataFormat,
}

impl Plan {
    /// Works the plan out; `config` has been validated, and a batch fits into the images.
    pub fn new(
        recipe: String,
        mut config: Config,
        images: ImageCounts,
        parameters: Parameters,
        largest_buffer: Option<u64>,
    ) -> Self {
        let steps_per_epoch = (images.train / config.train.batch_size) as u64;
        let warmup = match config.schedule.warmup_steps {
            Some(steps) => steps as f64 / steps_per_epoch as f64,
            None => config.schedule.warmup_epochs,
        };
        let schedule = Schedule::new(
            warmup,
            config.train.epochs,
            steps_per_epoch,
            config.schedule.final_ratio,
        );
        let rates_given = config.optimizer.learning_rate_weights.is_some();
        let peak = peak_rates(&config);
        // What is stored with the run says all.
        settle_rates(&mut config);
        config.views = config.views.resolved();
        Self {
            recipe,
            config,
            images,
            steps_per_epoch,
            schedule,
            peak,
            rates_given,
            parameters,
            largest_buffer,
        }
    }

    /// The least loss for this N, D and lambda, times the scale; none where it is not defined.
    pub fn loss_floor(&self) -> Option<f64> {
        let (n, d) = self.loss_shape();
        self.config.loss_config().init().floor(n, d)
    }

    /// The loss of embeddings that know nothing yet; none for the variants of the loss.
    pub fn loss_start(&self) -> Option<f64> {
        let loss = &self.config.loss;
        let (n, d) = self.loss_shape();
        let plain = loss.objective == Objective::BarlowTwins && loss.normalization == Normalization::Batch;
        plain.then(|| loss_start(n, d, loss.lambda) * loss.scale)
    }

    /// N and D of a step.
    pub fn loss_shape(&self) -> (usize, usize) {
        let d = self.config.projector().embedding_width();
        (self.config.train.batch_size, d)
    }

    /// The form of the loss, and why.
    fn loss_form(&self) -> (LossForm, String) {
        let (n, d) = self.loss_shape();
        self.config.loss_config().init().form(n, d, self.largest_buffer)
    }

    /// What a step takes at least on the device.
    pub fn memory(&self) -> Memory {
        Memory::estimate(&self.config, self.parameters, self.loss_form().0)
    }

    /// Whether every tensor of a step fits into a buffer of the device.
    ///
    /// # Errors
    /// One line on the first that does not, with the way out.
    pub fn check_buffers(&self) -> Result<(), String> {
        let tensors = buffers::of_step(&self.config, self.loss_form().0);
        self.largest_buffer
            .map_or(Ok(()), |limit| buffers::check(&tensors, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_batch_is_left_out() {
        let mut config = Config::default();
        config.train.batch_size = 128;
        config.train.epochs = 20;
        let plan = Plan::new(
            "x".into(),
            config,
            ImageCounts {
                train: 1662,
                test: 400,
                classes: 10,
                format: DataFormat::Folder,
            },
            Parameters::default(),
            None,
        );
        assert_eq!(
            (
                plan.steps_per_epoch,
                plan.schedule.total_steps,
                plan.schedule.warmup_steps
            ),
            (12, 240, 24)
        );
    }
}
