//! What a run will do, worked out before its first step, and the lines that say so.

use crate::backend::Selected;
use crate::buffers;
use crate::config::{BackboneKind, Config, OptimizerKind};
use crate::memory::{self, Memory};
use crate::optim::{LearningRates, peak_rates, settle_rates};
use crate::schedule::Schedule;
use barlow_data::DataFormat;
use barlow_loss::{LossForm, Normalization, Objective, loss_start};
use serde::Serialize;
use std::path::Path;

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

    /// Where the rate of the weights comes from.
    fn rates_origin(&self) -> String {
        let optimizer = &self.config.optimizer;
        let rate = optimizer.learning_rate_weights.unwrap_or_default();
        match (self.rates_given, optimizer.kind) {
            (true, _) => "configured".to_owned(),
            (false, OptimizerKind::Lars) if !optimizer.clip => {
                format!("{rate:.3}, none being configured, from the authors' table for this batch,")
            }
            (false, _) => format!("the default {rate}"),
        }
    }

    /// Where the images are; a program's own are nowhere.
    fn images_origin(&self) -> String {
        let path = &self.config.data.path;
        if path.as_os_str().is_empty() {
            return String::new();
        }
        format!(" from {} ({})", path.display(), self.images.format)
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

    /// What was chosen and why, a line each.
    pub fn report(&self, selected: &Selected, workers: usize, out: Option<&Path>) -> Vec<String> {
        let Config {
            run,
            model,
            loss,
            optimizer,
            train,
            ..
        } = &self.config;
        let (n, d) = self.loss_shape();
        let (form, form_reason) = self.loss_form();
        let start = match (self.loss_start(), self.loss_floor()) {
            (Some(start), Some(floor)) => format!("starts near {start:.0}, cannot fall below {floor:.2}"),
            (Some(start), None) => format!("starts near {start:.0}, its floor is not defined"),
            (None, _) => format!(
                "objective {}, normalization {}: its floor is not defined",
                name_of(&loss.objective),
                name_of(&loss.normalization)
            ),
        };
        let rule = match optimizer.kind {
            OptimizerKind::Lars => "LARS",
            OptimizerKind::AdamW => "AdamW",
            OptimizerKind::Sgd => "SGD",
        };
        let labels = match (self.images.classes, self.images.test) {
            (0, _) => "no labels: accuracy is not measured".to_owned(),
            (1, _) => "one class: accuracy is not measured".to_owned(),
            (classes, 0) => format!("{classes} classes, no test images: accuracy is not measured"),
            (classes, test) => format!("{test} test images, {classes} classes (labels are for the probes only)"),
        };
        let backbone = match model.backbone {
            BackboneKind::Custom => "custom backbone".to_owned(),
            resnet => format!(
                "{} width {}, {} stem",
                name_of(&resnet),
                model.width,
                name_of(&model.stem)
            ),
        };
        let mut lines = vec![
            format!("recipe      {}, seed {}", self.recipe, run.seed),
            format!("backend     {selected}"),
            "precision   f32 (the only one so far)".to_owned(),
            format!(
                "images      {} to train on{}; {labels}",
                self.images.train,
                self.images_origin()
            ),
            format!(
                "model       {backbone}: {} parameters; projector {}: {} parameters",
                grouped(self.parameters.backbone),
                model.projector,
                grouped(self.parameters.projector)
            ),
            format!(
                "steps       {} epochs of {} steps, batch {}{} ({} images left out per epoch); {} view threads",
                train.epochs,
                self.steps_per_epoch,
                train.batch_size,
                train
                    .micro_batch
                    .map_or(String::new(), |images| format!(" in micro-batches of {images}")),
                self.images.train % train.batch_size,
                workers
            ),
            format!(
                "optimizer   {rule}, peak rates {:.3e} (weights) and {:.3e} (biases, norms) = {} x {}/256; \
                 warm-up {} steps, cosine to {}",
                self.peak.weights,
                self.peak.biases,
                self.rates_origin(),
                train.batch_size,
                self.schedule.warmup_steps,
                self.schedule.final_ratio
            ),
            format!(
                "loss        lambda {}, {} form ({form_reason}); {start} for N {n}, D {d}",
                loss.lambda,
                name_of(&form),
            ),
        ];
        let memory = self.memory();
        lines.push(format!(
            "memory      at least {} on the device: activations {}, weights, gradients and optimiser {}, loss {}",
            memory::bytes(memory.total()),
            memory::bytes(memory.activations),
            memory::bytes(memory.parameters),
            memory::bytes(memory.loss)
        ));
        if let Some(out) = out {
            lines.push(format!("run         {}", out.display()));
        }
        lines
    }
}

/// The word that a config file has for a value.
fn name_of(value: &impl Serialize) -> String {
    toml::Value::try_from(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// `11176512` as `11,176,512`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let texts: Vec<String> = [0, 12, 999, 1000, 23_508_032].into_iter().map(grouped).collect();
        assert_eq!(texts, ["0", "12", "999", "1,000", "23,508,032"]);
    }

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
