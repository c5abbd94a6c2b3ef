//! From a config to an update rule and its peak rates.

use super::{AdamW, Lars, LearningRates, Rule};
use crate::config::{Config, OptimizerKind};

/// The images that a configured learning rate is for; the official reference batch.
const REFERENCE_BATCH: f64 = 256.0;

/// The update rule of a config.
pub fn rule(config: &Config) -> Rule {
    let optimizer = &config.optimizer;
    match optimizer.kind {
        OptimizerKind::Lars => Rule::Lars(Lars {
            momentum: optimizer.momentum,
            weight_decay: optimizer.weight_decay,
            trust_coefficient: optimizer.trust_coefficient,
            clip: optimizer.clip,
        }),
        OptimizerKind::AdamW => Rule::AdamW(AdamW::new(optimizer.weight_decay)),
    }
}

/// The peak rates of a config: the configured ones times `batch_size / 256`.
pub fn peak_rates(config: &Config) -> LearningRates {
    let factor = config.train.batch_size as f64 / REFERENCE_BATCH;
    LearningRates {
        weights: config.optimizer.learning_rate_weights * factor,
        biases: config.optimizer.learning_rate_biases * factor,
    }
}

impl LearningRates {
    /// Both rates times the schedule's factor.
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            weights: self.weights * factor,
            biases: self.biases * factor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_recipe_has_the_official_peaks() {
        let rates = peak_rates(&Config::default());
        assert!(
            (rates.weights - 1.6).abs() < 1e-12 && (rates.biases - 0.0384).abs() < 1e-12,
            "{rates:?}"
        );
    }
}
