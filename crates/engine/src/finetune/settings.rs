//! The config of a fine-tuning run: the recipe of the network's own run, with the method, rates and schedule of the protocol.

use crate::config::{Config, LinearEvaluation, OptimizerKind};
use crate::methods::MethodKind;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Settings of the protocol. The defaults are the official ones for a hundredth of the labels (facebookresearch/barlowtwins,
/// README).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinetuneSettings {
    /// Passes over the labelled images.
    pub epochs: u64,
    /// Images per step; all labelled images if they are fewer.
    pub batch_size: usize,
    /// Rate of the classifier for 256 images.
    pub rate: f64,
    /// Rate of the backbone for 256 images.
    pub backbone_rate: f64,
    /// Weight decay of everything.
    pub weight_decay: f64,
    /// Epochs of linear warm-up; never more than a tenth of the run.
    pub warmup_epochs: f64,
    /// How the rates fall.
    pub schedule: FinetuneSchedule,
}

/// How the rates fall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinetuneSchedule {
    /// A cosine to zero, epoch by epoch: the official code.
    #[default]
    Cosine,
    /// Times 0.2 after three and four fifths of the epochs, 12 and 16 of 20: the paper's text (B.2).
    Step,
}

impl FinetuneSchedule {
    /// The published rate of the backbone for 256 images.
    pub fn backbone_rate(self) -> f64 {
        match self {
            Self::Cosine => 0.005,
            Self::Step => 0.002,
        }
    }
}

impl Default for FinetuneSettings {
    fn default() -> Self {
        Self {
            epochs: 20,
            batch_size: 256,
            rate: 0.5,
            backbone_rate: 0.005,
            weight_decay: 0.0,
            warmup_epochs: 0.0,
            schedule: FinetuneSchedule::Cosine,
        }
    }
}

impl FinetuneSettings {
    /// Those of training from scratch, for comparison: one rate for the whole network, 0.1 as in torchvision's reference.
    pub fn from_scratch(&self) -> Self {
        Self {
            rate: 0.1,
            backbone_rate: 0.1,
            ..self.clone()
        }
    }
}

/// Which of the training images have labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelledPart {
    /// This fraction of each class, chosen by the seed; 1 for all.
    Fraction(f64),
    /// Those that a file names.
    Names(PathBuf),
}

/// The config of a supervised run on a part of `images` labelled images in `classes` classes, over that of the network's own run.
pub fn finetune_config(
    own: &Config,
    settings: &FinetuneSettings,
    part: &LabelledPart,
    images: usize,
    classes: usize,
    seed: u64,
) -> Config {
    let mut config = own.clone();
    config.run.seed = seed;
    config.method.kind = MethodKind::Supervised;
    config.method.supervised.backbone_rate = settings.backbone_rate / settings.rate;
    config.model.projector = classes.to_string();
    match part {
        LabelledPart::Fraction(fraction) if *fraction < 1.0 => config.data.train_fraction = Some(*fraction),
        LabelledPart::Fraction(_) => {}
        LabelledPart::Names(path) => config.data.train_names = Some(path.clone()),
    }
    let optimizer = &mut config.optimizer;
    optimizer.kind = OptimizerKind::Sgd;
    optimizer.learning_rate_weights = Some(settings.rate);
    optimizer.learning_rate_biases = Some(settings.rate);
    optimizer.weight_decay = settings.weight_decay;
    optimizer.momentum = 0.9;
    config.schedule.warmup_epochs = settings.warmup_epochs;
    config.schedule.warmup_steps = None;
    config.schedule.final_ratio = 0.0;
    config.schedule.by_epoch = true;
    config.schedule.milestone_factor = 0.2;
    config.schedule.milestones = match settings.schedule {
        FinetuneSchedule::Cosine => Vec::new(),
        FinetuneSchedule::Step => [3, 4].map(|fifths| (settings.epochs * fifths / 5) as f64).to_vec(),
    };
    // A run of a few epochs has no place for both.
    config.schedule.milestones.retain(|&epoch| epoch > 0.0);
    config.schedule.milestones.dedup();
    config.train.epochs = settings.epochs;
    config.train.batch_size = settings.batch_size.min(images);
    config.train.micro_batch = None;
    config.train.log_every = 10;
    // The classifier is what is evaluated, at the end.
    config.eval.untrained = false;
    config.eval.linear = LinearEvaluation::Off;
    config.eval.online = false;
    config.eval.every = 0;
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_is_valid_and_the_rates_are_the_protocols() {
        let settings = FinetuneSettings::default();
        let part = LabelledPart::Fraction(0.1);
        let config = finetune_config(&Config::default(), &settings, &part, 100, 7, 3);
        config.validate().unwrap();
        assert_eq!(config.train.batch_size, 100, "there are no more images");
        assert_eq!(config.data.train_fraction, Some(0.1));
        assert_eq!(config.model.projector, "7");
        let rate = config.optimizer.learning_rate_weights.unwrap();
        assert!((rate * config.method.supervised.backbone_rate - 0.005).abs() < 1e-12);
        assert!(config.schedule.milestones.is_empty() && config.schedule.by_epoch);
        let stepped = FinetuneSettings {
            schedule: FinetuneSchedule::Step,
            ..settings.clone()
        };
        let drops = |epochs| {
            let settings = FinetuneSettings {
                epochs,
                ..stepped.clone()
            };
            let config = finetune_config(&Config::default(), &settings, &part, 100, 7, 3);
            config.validate().unwrap();
            config.schedule.milestones
        };
        assert_eq!((drops(20), drops(2), drops(1)), (vec![12.0, 16.0], vec![1.0], vec![]));
        let all = finetune_config(
            &Config::default(),
            &settings.from_scratch(),
            &LabelledPart::Fraction(1.0),
            1000,
            7,
            3,
        );
        assert_eq!(
            (all.data.train_fraction, all.method.supervised.backbone_rate),
            (None, 1.0)
        );
    }
}
