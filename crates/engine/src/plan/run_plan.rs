//! The plan of a run, made before its first step; `report.rs` prints it.

use super::{Decay, Memory, Parameters, Schedule, Warmup, WarmupTooLong, device_limits};
use crate::config::{ResolvedConfig, peak_rates};
use crate::method::{MethodSpec, Outlook};
use crate::optim::LearningRates;
use crate::sources::ImageCounts;

/// The plan of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Name of the recipe.
    pub recipe: String,
    /// The resolved config.
    pub config: ResolvedConfig,
    /// The parts of the method.
    pub method: MethodSpec,
    /// The estimates for its loss.
    pub outlook: Outlook,
    /// How many images there are.
    pub images: ImageCounts,
    /// Optimiser steps in an epoch.
    pub steps_per_epoch: u64,
    /// The schedule of the rates.
    pub schedule: Schedule,
    /// Peak rates.
    pub peak: LearningRates,
    /// Numbers of trained parameters.
    pub parameters: Parameters,
    /// The largest tensor on the device in bytes; `None` without a limit.
    pub largest_buffer: Option<u64>,
}

impl Plan {
    /// Makes the plan; there must be enough images for a batch.
    ///
    /// # Errors
    /// [`WarmupTooLong`].
    pub fn new(
        recipe: String,
        config: ResolvedConfig,
        (method, outlook): (MethodSpec, Outlook),
        images: ImageCounts,
        parameters: Parameters,
        largest_buffer: Option<u64>,
    ) -> Result<Self, WarmupTooLong> {
        let steps_per_epoch = (images.train / config.train.batch_size) as u64;
        let warmup = match config.schedule.warmup_steps {
            Some(steps) => Warmup::Steps(steps),
            None => Warmup::Epochs(config.schedule.warmup_epochs),
        };
        let decay = match config.schedule.milestones.as_slice() {
            [] if config.schedule.by_epoch => Decay::CosineByEpoch(config.schedule.final_ratio),
            [] => Decay::Cosine(config.schedule.final_ratio),
            epochs => Decay::Milestones {
                epochs: epochs.to_vec(),
                factor: config.schedule.milestone_factor,
            },
        };
        let schedule = Schedule::new(warmup, config.train.epochs, steps_per_epoch, decay)?;
        let peak = peak_rates(&config);
        Ok(Self {
            recipe,
            config,
            method,
            outlook,
            images,
            steps_per_epoch,
            schedule,
            peak,
            parameters,
            largest_buffer,
        })
    }

    /// The weight decay of a step; `None` where it is constant.
    pub fn weight_decay(&self, step: u64) -> Option<f64> {
        let optimizer = &self.config.optimizer;
        let end = optimizer.final_weight_decay?;
        Some(self.schedule.weight_decay([optimizer.weight_decay, end], step))
    }

    /// The memory that a step takes at least.
    pub fn memory(&self) -> Memory {
        Memory::estimate(
            &self.config,
            &self.method,
            &self.outlook,
            self.parameters,
            self.images.train,
        )
    }

    /// Whether every tensor of a step fits into a buffer of the device.
    ///
    /// # Errors
    /// A one-line error for the first that does not, with a remedy.
    pub fn check_buffers(&self) -> Result<(), String> {
        let tensors = device_limits::large_tensors(&self.config, &self.method, &self.outlook);
        self.largest_buffer
            .map_or(Ok(()), |limit| device_limits::check(&tensors, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_partial_batch_is_left_out() {
        let mut config = Config::default();
        config.train.batch_size = 128;
        config.train.epochs = 20;
        let inputs = config.method_inputs(None);
        let method = config.method_definition();
        let method = (method.spec(&inputs), method.outlook(&inputs));
        let images = ImageCounts::shipped();
        let plan = |config: Config| {
            Plan::new(
                "x".into(),
                ResolvedConfig::new(config),
                method.clone(),
                images,
                Parameters::default(),
                None,
            )
        };
        let found = plan(config.clone()).unwrap();
        assert_eq!(
            (
                found.steps_per_epoch,
                found.schedule.total_steps,
                found.schedule.warmup_steps
            ),
            (12, 240, 24)
        );
        config.schedule.warmup_steps = Some(100);
        assert_eq!(plan(config.clone()).unwrap().schedule.warmup_steps, 100);
        config.schedule.warmup_steps = Some(241);
        assert!(plan(config).is_err());
    }
}
