//! The knobs of the loss and their checks. Plain data: no tensor is touched here.

use burn::config::Config;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::BarlowTwinsLoss;

/// Settings of the [loss](BarlowTwinsLoss); the defaults are the official ones.
#[derive(Config, Debug, PartialEq)]
pub struct BarlowTwinsLossConfig {
    /// λ, the weight of the redundancy reduction term; `>= 0`. The official code uses 0.0051, the paper writes 5e-3.
    #[config(default = 0.0051)]
    pub lambda: f64,
    /// Factor on the whole loss; `> 0`. 1 in the official code since June 2021, 0.024 before. It matters to optimisers
    /// that do not rescale gradients (plain SGD), and to the weight decay beside them.
    #[config(default = 1.0)]
    pub scale: f64,
    /// Added to the variance inside the root; `> 0`. 1e-5 as in PyTorch's batch norm, so that a dead dimension has a
    /// finite gradient.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// How to compute; every form gives the same numbers up to rounding.
    #[config(default = "LossForm::Auto")]
    pub form: LossForm,
}

/// How the loss is computed. Written in lower case in files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossForm {
    /// The best form for the shape and the device at hand; [`BarlowTwinsLoss::form`] tells which.
    #[default]
    Auto,
    /// Plain tensor operations ([`crate::reference`]), on every backend.
    Reference,
}

/// A setting out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum LossConfigError {
    /// `lambda` is negative, infinite or not a number.
    #[error("loss.lambda is {0}: it must be a finite number of at least 0 (the official value is 0.0051)")]
    Lambda(f64),
    /// `scale` is zero, negative, infinite or not a number.
    #[error("loss.scale is {0}: it must be a finite number above 0 (the official value is 1)")]
    Scale(f64),
    /// `epsilon` is zero, negative, infinite or not a number.
    #[error("loss.epsilon is {0}: it must be a finite number above 0 (the official value is 1e-5)")]
    Epsilon(f64),
}

impl BarlowTwinsLossConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// The first setting that is out of its range, with its value.
    pub fn validate(&self) -> Result<(), LossConfigError> {
        if !(self.lambda >= 0.0 && self.lambda.is_finite()) {
            return Err(LossConfigError::Lambda(self.lambda));
        }
        if !(self.scale > 0.0 && self.scale.is_finite()) {
            return Err(LossConfigError::Scale(self.scale));
        }
        if !(self.epsilon > 0.0 && self.epsilon.is_finite()) {
            return Err(LossConfigError::Epsilon(self.epsilon));
        }
        Ok(())
    }

    /// Builds the loss.
    ///
    /// # Panics
    ///
    /// If a setting is out of its range, with the text of [`LossConfigError`]; see [`Self::validate`].
    pub fn init(&self) -> BarlowTwinsLoss {
        if let Err(error) = self.validate() {
            panic!("{error}");
        }
        BarlowTwinsLoss {
            lambda: self.lambda,
            scale: self.scale,
            epsilon: self.epsilon,
            form: self.form,
        }
    }
}

impl Default for BarlowTwinsLossConfig {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_official_values() {
        let config = BarlowTwinsLossConfig::default();
        assert_eq!((config.lambda, config.scale, config.epsilon), (0.0051, 1.0, 1e-5));
        assert_eq!(config.form, LossForm::Auto);
        assert_eq!(config.validate(), Ok(()));
    }

    #[test]
    fn the_first_bad_value_of_every_check_is_refused() {
        let config = BarlowTwinsLossConfig::new;
        assert_eq!(config().with_lambda(0.0).validate(), Ok(()));
        assert_eq!(
            config().with_lambda(-1e-9).validate(),
            Err(LossConfigError::Lambda(-1e-9))
        );
        assert_eq!(config().with_scale(0.0).validate(), Err(LossConfigError::Scale(0.0)));
        assert_eq!(
            config().with_epsilon(0.0).validate(),
            Err(LossConfigError::Epsilon(0.0))
        );
        for bad in [f64::NAN, f64::INFINITY] {
            assert!(matches!(
                config().with_lambda(bad).validate(),
                Err(LossConfigError::Lambda(_))
            ));
            assert!(matches!(
                config().with_scale(bad).validate(),
                Err(LossConfigError::Scale(_))
            ));
            assert!(matches!(
                config().with_epsilon(bad).validate(),
                Err(LossConfigError::Epsilon(_))
            ));
        }
    }

    #[test]
    #[should_panic(expected = "loss.lambda is -1: it must be a finite number of at least 0")]
    fn init_panics_with_the_same_text() {
        BarlowTwinsLossConfig::new().with_lambda(-1.0).init();
    }

    #[test]
    fn a_config_survives_its_own_text() {
        let config = BarlowTwinsLossConfig::new()
            .with_lambda(0.01)
            .with_form(LossForm::Reference);
        let text = config.to_string();
        assert!(text.contains("\"reference\""), "{text}");
        assert_eq!(BarlowTwinsLossConfig::load_binary(text.as_bytes()).unwrap(), config);
    }
}
