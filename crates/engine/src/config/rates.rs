//! The update rule and the peak learning rates of a config.

use super::{Config, OptimizerKind, default_rates};
use crate::optim::{AdamW, Lars, LearningRates, Rule, Sgd};

/// The batch size that configured learning rates refer to; the official reference batch.
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
            separate_norms: optimizer.separate_norms,
            rate_in_momentum: optimizer.rate_in_momentum,
        }),
        OptimizerKind::AdamW => Rule::AdamW(AdamW::new(optimizer.weight_decay)),
        OptimizerKind::Sgd => Rule::Sgd(Sgd {
            momentum: optimizer.momentum,
            weight_decay: optimizer.weight_decay,
        }),
    }
}

/// The rates of a config per 256 images: the given ones, else the defaults. Biases take the weights' rate if only that is
/// given, except with the official LARS.
///
/// # Panics
/// If the config was not validated and gives no rate to a rule without a default.
fn base_rates(config: &Config) -> LearningRates {
    let optimizer = &config.optimizer;
    let default = default_rates(config);
    let weights = optimizer.learning_rate_weights.or(default.weights);
    let weights = weights.expect("the config was validated");
    let biases = optimizer.learning_rate_biases.or(default.biases);
    LearningRates {
        weights,
        biases: biases.unwrap_or(weights),
    }
}

/// Fills in the rates that a config leaves to the defaults.
pub fn settle_rates(config: &mut Config) {
    let base = base_rates(config);
    config.optimizer.learning_rate_weights = Some(base.weights);
    config.optimizer.learning_rate_biases = Some(base.biases);
}

/// The peak rates of a config: the given ones or the defaults, times `batch_size / 256`.
pub fn peak_rates(config: &Config) -> LearningRates {
    base_rates(config).scaled(config.train.batch_size as f64 / REFERENCE_BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_recipe_has_the_official_peaks() {
        let rates = peak_rates(&Config::default());
        assert!(
            (rates.weights - 1.6).abs() < 1e-12 && (rates.biases - 0.0024).abs() < 1e-12,
            "{rates:?}: 0.2 and 0.0048 / 16 times 2048 / 256"
        );
    }

    #[test]
    fn biases_follow_the_weights_but_under_the_official_lars() {
        let rates = |set: &dyn Fn(&mut Config)| {
            let mut config = Config::default();
            config.train.batch_size = 256;
            set(&mut config);
            let LearningRates { weights, biases } = base_rates(&config);
            [weights, biases]
        };
        assert_eq!(rates(&|_| ()), [0.4, 0.0003]);
        assert_eq!(
            rates(&|config| config.optimizer.learning_rate_weights = Some(1.0)),
            [1.0, 0.0003]
        );
        assert_eq!(rates(&|config| config.optimizer.clip = true), [0.3, 0.3]);
        let adamw = |config: &mut Config| config.optimizer.kind = OptimizerKind::AdamW;
        assert_eq!(rates(&adamw), [1e-3, 1e-3]);
        let sgd = |config: &mut Config| {
            config.optimizer.kind = OptimizerKind::Sgd;
            config.optimizer.learning_rate_weights = Some(0.05);
        };
        assert_eq!(rates(&sgd), [0.05, 0.05]);
    }
}
