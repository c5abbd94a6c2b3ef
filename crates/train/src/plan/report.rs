//! The lines in which a plan says what was chosen and why.

use super::Plan;
use crate::backend::Selected;
use crate::config::{BackboneKind, Config, OptimizerKind};
use crate::memory;
use serde::Serialize;
use std::path::Path;

impl Plan {
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
}
