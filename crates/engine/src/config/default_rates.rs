//! The default learning rates.

use super::{Config, OptimizerKind};

/// Batch sizes with the authors' best rate of the weights, per 256 images (facebookresearch/barlowtwins, issue 7: ResNet-50, 300
/// epochs of ImageNet). 64 is their guess.
const AUTHORS: [(f64, f64); 7] = [
    (64.0, 1.0),
    (128.0, 0.7),
    (256.0, 0.4),
    (512.0, 0.3),
    (1024.0, 0.25),
    (2048.0, 0.2),
    (4096.0, 0.2),
];
/// The official 0.0048 on 16 GPUs, each of which held a sixteenth of the gradient.
const LARS_BIASES: f64 = 0.0003;
/// solo-learn's for clipped LARS with a trust coefficient of 0.02, CIFAR and 256 images.
const CLIPPED_LARS: f64 = 0.3;
/// torch's default.
const ADAMW: f64 = 1e-3;

/// Default rates per 256 images; `None` where no single value suits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DefaultRates {
    /// `None` if the rate depends on the scale of the loss.
    pub weights: Option<f64>,
    /// `None` if it follows the rate of the weights.
    pub biases: Option<f64>,
}

/// The rates for a config's optimiser and batch size.
pub fn default_rates(config: &Config) -> DefaultRates {
    let (weights, biases) = match config.optimizer.kind {
        OptimizerKind::Lars if config.optimizer.clip => (Some(CLIPPED_LARS), None),
        OptimizerKind::Lars => (Some(authors_rate(config.train.batch_size as f64)), Some(LARS_BIASES)),
        OptimizerKind::AdamW => (Some(ADAMW), None),
        OptimizerKind::Sgd => (None, None),
    };
    DefaultRates { weights, biases }
}

/// The authors' rate of the weights per 256 images for a batch size: their table, interpolated linearly over the logarithm of the size;
/// outside the table, the nearest rate.
pub fn authors_rate(batch_size: f64) -> f64 {
    let above = AUTHORS.iter().position(|(size, _)| *size >= batch_size);
    match above {
        Some(0) => AUTHORS[0].1,
        Some(index) => {
            let [(low, from), (high, to)] = [AUTHORS[index - 1], AUTHORS[index]];
            from + (to - from) * (batch_size / low).log2() / (high / low).log2()
        }
        None => AUTHORS[AUTHORS.len() - 1].1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_follow_the_authors_table() {
        for (size, rate) in AUTHORS {
            assert_eq!(authors_rate(size), rate, "batch {size}");
        }
        assert_eq!([authors_rate(8.0), authors_rate(1e6)], [1.0, 0.2]);
        let mut config = Config::default();
        config.optimizer.kind = OptimizerKind::Sgd;
        let error = config.validate().unwrap_err().to_string();
        assert!(
            error.contains("learning_rate_weights") && error.contains("sgd"),
            "{error}"
        );
        config.optimizer.learning_rate_weights = Some(0.1);
        config.validate().unwrap();
        let between = authors_rate(128.0 * 2.0f64.sqrt());
        assert!((between - 0.55).abs() < 1e-12, "{between}");
    }
}
