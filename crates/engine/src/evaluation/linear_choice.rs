//! Which linear evaluation a run makes: an exact probe where it is affordable, else the reading of the online probe.

use crate::config::{Config, LinearEvaluation};
use crate::units::{bytes, grouped};

/// The most products of an exact probe's data (images × features × classes): it reads them hundreds of times. ImageNet has
/// 2.6 · 10^12, CIFAR-10 on a ResNet-18 2.6 · 10^8; at this bound two cores take some minutes.
const MOST_PRODUCTS: f64 = 2e10;
/// The most memory of the training features.
const MOST_BYTES: f64 = 4.0 * 1024.0 * 1024.0 * 1024.0;

/// A linear evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinearChoice {
    /// Logistic regression to convergence on the features of all training images.
    Exact,
    /// The official protocol, for `eval.linear_epochs` epochs.
    Sgd,
    /// The accuracy, on the test images, of the probe that was trained alongside the network.
    Online,
    /// None.
    Off,
}

/// The evaluation of `images` training images with `features` features in `classes` classes, and the reason where there is
/// one to give.
pub fn linear_choice(
    config: &Config,
    images: usize,
    features: usize,
    classes: usize,
) -> (LinearChoice, Option<String>) {
    let products = images as f64 * features as f64 * classes as f64;
    let memory = images as f64 * features as f64 * 4.0;
    let fits = products <= MOST_PRODUCTS && memory <= MOST_BYTES;
    match config.eval.linear {
        LinearEvaluation::Off => (LinearChoice::Off, None),
        LinearEvaluation::Exact => (LinearChoice::Exact, None),
        LinearEvaluation::Sgd => {
            let passes = format!(
                "linear classifiers are trained by SGD for {} epochs of {} random crops, before the first step (eval.untrained) and at \
                 the end (eval.linear, eval.linear_epochs)",
                config.eval.linear_epochs,
                grouped(images)
            );
            (LinearChoice::Sgd, Some(passes))
        }
        LinearEvaluation::Auto if fits => (LinearChoice::Exact, None),
        LinearEvaluation::Auto => {
            let choice = if config.eval.online {
                LinearChoice::Online
            } else {
                LinearChoice::Off
            };
            let instead = match choice {
                LinearChoice::Online => "the online probe's accuracy is read instead",
                _ => "none is read, because eval.online is off",
            };
            let reason = format!(
                "an exact probe on {} images x {features} features x {classes} classes ({}) exceeds the bound of {:.0e} \
                 products or {}: {instead} (eval.linear)",
                grouped(images),
                bytes(memory as u64),
                MOST_PRODUCTS,
                bytes(MOST_BYTES as u64)
            );
            (choice, Some(reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_sets_are_probed_exactly_and_imagenet_is_not() {
        let mut config = Config::default();
        assert_eq!(linear_choice(&config, 50_000, 512, 10), (LinearChoice::Exact, None));
        let (choice, reason) = linear_choice(&config, 1_281_167, 2048, 1000);
        assert_eq!(choice, LinearChoice::Online);
        assert!(
            reason
                .unwrap()
                .contains("1,281,167 images x 2048 features x 1000 classes")
        );
        config.eval.online = false;
        assert_eq!(linear_choice(&config, 1_281_167, 2048, 1000).0, LinearChoice::Off);
        config.eval.linear = LinearEvaluation::Exact;
        assert_eq!(linear_choice(&config, 1_281_167, 2048, 1000).0, LinearChoice::Exact);
        config.eval.linear = LinearEvaluation::Sgd;
        let (choice, cost) = linear_choice(&config, 1_281_167, 2048, 1000);
        assert_eq!(choice, LinearChoice::Sgd);
        assert!(cost.unwrap().contains("for 10 epochs of 1,281,167 random crops"));
    }
}
