//! The printed plan: what was chosen and why.

use super::{Decay, Plan};
use crate::backend::DeviceLabel;
use crate::config::OptimizerKind;
use crate::evaluation::linear_choice;
use crate::toml_word::toml_word;
use crate::units::{bytes, grouped};
use barlow_model::BackboneConfig;
use std::path::Path;

/// What to do where there are labels and nothing to evaluate on.
const HOLD_OUT: &str = "--holdout 0.1 measures it on a tenth of the training images";

impl Plan {
    /// The lines of the plan: what was chosen and why.
    pub fn report(&self, device: &DeviceLabel, out: &Path) -> Vec<String> {
        let (run, model) = (&self.config.run, &self.config.model);
        let (optimizer, train) = (&self.config.optimizer, &self.config.train);
        let (n, d) = (train.batch_size, self.method.heads.embedding_width());
        let range = match (self.outlook.start, self.outlook.floor) {
            (Some(start), Some(floor)) => format!("starts near {start:.0}, cannot fall below {floor:.2}"),
            (Some(start), None) => format!("starts near {start:.0}, its floor is not defined"),
            (None, Some(floor)) => format!("cannot fall below {floor:.2}"),
            (None, None) => "its floor is not defined".to_owned(),
        };
        let rule = match optimizer.kind {
            OptimizerKind::Lars => "LARS",
            OptimizerKind::AdamW => "AdamW",
            OptimizerKind::Sgd => "SGD",
        };
        let labels = match (self.images.classes, self.images.test) {
            (0, _) => "no labels: accuracy is not measured".to_owned(),
            (1, _) => "one class: accuracy is not measured".to_owned(),
            (classes, 0) if self.images.unlabelled_test > 0 => format!(
                "{classes} classes, no labels of the {} test images: accuracy is not measured ({HOLD_OUT})",
                self.images.unlabelled_test
            ),
            (classes, 0) => format!("{classes} classes, no test images: accuracy is not measured ({HOLD_OUT})"),
            (classes, test) => format!("{test} test images, {classes} classes (labels are for the probes only)"),
        };
        let backbone = match self.config.backbone() {
            Err(_) => "custom backbone".to_owned(),
            Ok(BackboneConfig::Vit(vit)) => format!(
                "{} of {} blocks, {} heads, patches of {}, {} positions{}",
                toml_word(&model.backbone),
                vit.depth,
                vit.heads,
                vit.patch,
                toml_word(&vit.positions),
                if vit.drop_path > 0.0 {
                    format!(", drop path {}", vit.drop_path)
                } else {
                    String::new()
                }
            ),
            Ok(BackboneConfig::ResNet(_)) => format!(
                "{} width {}, {} stem{}",
                toml_word(&model.backbone),
                model.width,
                toml_word(&model.stem),
                if model.stem_padding == 1 { "" } else { " with padding 2" }
            ),
        };
        let mut lines = vec![
            format!("recipe      {}, seed {}", self.recipe, run.seed),
            format!("backend     {device}"),
            "precision   f32 (the only one so far)".to_owned(),
            format!(
                "images      {} to train on{}; {labels}",
                self.images.train,
                self.images_origin()
            ),
            format!(
                "model       {backbone}: {} parameters; {}: {} parameters",
                grouped(self.parameters.backbone),
                self.method.heads.describe(),
                grouped(self.parameters.heads)
            ),
            format!(
                "steps       {} epochs of {} steps, batch {}{} ({} images dropped per epoch); {} view threads",
                train.epochs,
                self.steps_per_epoch,
                train.batch_size,
                train
                    .micro_batch
                    .map_or(String::new(), |images| format!(" in micro-batches of {images}")),
                self.images.train % train.batch_size,
                self.config.data.workers()
            ),
            format!(
                "optimizer   {rule}, peak rates {:.3e} (weights) and {:.3e} (biases, norms) = {} x {}/256; \
                 warm-up {} steps, {}{}",
                self.peak.weights,
                self.peak.biases,
                self.rates_origin(),
                train.batch_size,
                self.schedule.warmup_steps,
                self.decay(),
                self.weight_decay_schedule()
            ),
            format!("method      {}", self.method.describe()),
            format!("loss        {}; {range} for N {n}, D {d}", self.outlook.settings),
        ];
        lines.extend(self.evaluation().map(|text| format!("evaluation  {text}")));
        let memory = self.memory();
        lines.push(format!(
            "memory      at least {} on the device: activations {}, weights, gradients and optimiser {}, loss {}; {} on the host for \
             batches of views{}",
            bytes(memory.total()),
            bytes(memory.activations),
            bytes(memory.parameters),
            bytes(memory.loss),
            bytes(memory.queue),
            match memory.whole_set {
                0 => String::new(),
                all => format!(", {} for the labels of all images", bytes(all)),
            }
        ));
        lines.push(format!("run         {}", out.display()));
        lines
    }

    /// What of the training images the evaluation does not read, and why; `None` if it reads them all or there is none.
    fn evaluation(&self) -> Option<String> {
        let (config, images) = (&self.config, &self.images);
        if images.classes < 2 || images.test == 0 {
            return None;
        }
        let features = config.backbone().ok()?.feature_dim();
        let (_, reason) = linear_choice(config, images.train, features, images.classes);
        let most = config.eval.knn_images;
        let part = (most > 0 && images.train > most).then(|| {
            format!(
                "kNN votes among {} of {} training images (eval.knn_images)",
                grouped(most),
                grouped(images.train)
            )
        });
        let parts: Vec<String> = part.into_iter().chain(reason).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// How the rate falls.
    fn decay(&self) -> String {
        match &self.schedule.decay {
            Decay::Cosine(final_ratio) => format!("cosine to {final_ratio}"),
            Decay::CosineByEpoch(final_ratio) => format!("cosine to {final_ratio} epoch by epoch"),
            Decay::Milestones { epochs, factor } => {
                let epochs: Vec<String> = epochs.iter().map(f64::to_string).collect();
                format!("times {factor} at epochs {}", epochs.join(", "))
            }
        }
    }

    /// Both ends of the weight decay where it is not constant.
    fn weight_decay_schedule(&self) -> String {
        let optimizer = &self.config.optimizer;
        let end = optimizer.final_weight_decay;
        end.map_or(String::new(), |end| {
            format!("; weight decay {} to {end} by a cosine", optimizer.weight_decay)
        })
    }

    /// Where the rate of the weights comes from.
    fn rates_origin(&self) -> String {
        let optimizer = &self.config.optimizer;
        let rate = optimizer.learning_rate_weights.unwrap_or_default();
        match (self.config.rates_given(), optimizer.kind) {
            (true, _) => "configured".to_owned(),
            (false, OptimizerKind::Lars) if !optimizer.clip => {
                format!("{rate:.3} (not configured: from the authors' table for this batch)")
            }
            (false, _) => format!("the default {rate}"),
        }
    }

    /// Where the images are; empty for a custom program's images.
    fn images_origin(&self) -> String {
        let path = &self.config.data.path;
        if path.as_os_str().is_empty() {
            return String::new();
        }
        format!(" from {} ({})", path.display(), self.images.format)
    }
}
