//! Settings of the loss and their validation. Plain data, no tensors.

mod choices;

pub use choices::{LossForm, Normalization, Objective};

use burn::config::Config;
use thiserror::Error;

/// Settings of the [loss](crate::BarlowTwinsLoss); the defaults are the official ones.
#[derive(Config, Debug, PartialEq)]
pub struct BarlowTwinsLossConfig {
    /// λ, the weight of the redundancy reduction term; `>= 0`. The official code uses 0.0051, the paper writes 5e-3.
    #[config(default = 0.0051)]
    pub lambda: f64,
    /// Factor of the whole loss; `> 0`. 1 in the official code since June 2021, 0.024 before. It matters for optimisers
    /// that do not rescale gradients (plain SGD) and for the balance with weight decay.
    #[config(default = 1.0)]
    pub scale: f64,
    /// Added to the variance inside the root; `> 0`. 1e-5 as in PyTorch's batch norm, so that a dead dimension has a
    /// finite gradient.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// How the loss is computed; all forms give the same values up to rounding.
    #[config(default = "LossForm::Auto")]
    pub form: LossForm,
    /// Normalisation of the embeddings before the product.
    #[config(default = "Normalization::Batch")]
    pub normalization: Normalization,
    /// The function of C that is minimised.
    #[config(default = "Objective::BarlowTwins")]
    pub objective: Objective,
    /// τ of [`Objective::CrossEntropy`], `> 0`; no other objective uses it. The paper does not state its value; 0.1 is
    /// this crate's choice.
    #[config(default = 0.1)]
    pub temperature: f64,
}

/// A setting that is out of range, or two settings that are incompatible.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum LossConfigError {
    /// `lambda` is negative, infinite or NaN.
    #[error("loss.lambda is {0}: it must be a finite number of at least 0 (the official value is 0.0051)")]
    Lambda(f64),
    /// `scale` is zero, negative, infinite or NaN.
    #[error("loss.scale is {0}: it must be a finite number above 0 (the official value is 1)")]
    Scale(f64),
    /// `epsilon` is zero, negative, infinite or NaN.
    #[error("loss.epsilon is {0}: it must be a finite number above 0 (the official value is 1e-5)")]
    Epsilon(f64),
    /// `temperature` is zero, negative, infinite or NaN.
    #[error("loss.temperature is {0}: it must be a finite number above 0")]
    Temperature(f64),
    /// A fused form was selected by name that does not support this variant.
    #[error(
        "loss.form is \"{form}\", which only computes sums of squares of the batch-normalised correlation; \
         {key} = \"{value}\" requires the form \"auto\" or \"reference\""
    )]
    Form {
        /// The selected form.
        form: &'static str,
        /// The incompatible key.
        key: &'static str,
        /// The value of that key.
        value: &'static str,
    },
}

impl BarlowTwinsLossConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    ///
    /// The first setting that is out of range, with its value, or a form selected by name that does not support the variant.
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
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(LossConfigError::Temperature(self.temperature));
        }
        self.validate_form()
    }

    fn validate_form(&self) -> Result<(), LossConfigError> {
        let form = match self.form {
            LossForm::Auto | LossForm::Reference => return Ok(()),
            LossForm::Direct => "direct",
            LossForm::Gram => "gram",
        };
        let refuse = |key, value| Err(LossConfigError::Form { form, key, value });
        if !self.objective.is_squares() {
            return refuse("loss.objective", self.objective.name());
        }
        match self.normalization {
            Normalization::Batch => Ok(()),
            other => refuse("loss.normalization", other.name()),
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
        assert_eq!(
            config().with_temperature(-0.1).validate(),
            Err(LossConfigError::Temperature(-0.1))
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
                config().with_temperature(bad).validate(),
                Err(LossConfigError::Temperature(_))
            ));
            assert!(matches!(
                config().with_epsilon(bad).validate(),
                Err(LossConfigError::Epsilon(_))
            ));
        }
    }

    #[test]
    fn a_fused_form_by_name_is_refused_for_the_variants_it_lacks() {
        let config = BarlowTwinsLossConfig::new;
        for form in [LossForm::Direct, LossForm::Gram] {
            for objective in [Objective::BarlowTwins, Objective::Invariance, Objective::Redundancy] {
                assert_eq!(config().with_form(form).with_objective(objective).validate(), Ok(()));
            }
            for objective in [Objective::CrossEntropy, Objective::AutoCorrelation] {
                assert!(config().with_form(form).with_objective(objective).validate().is_err());
                assert_eq!(config().with_objective(objective).validate(), Ok(()));
            }
        }
        let error = config()
            .with_form(LossForm::Gram)
            .with_normalization(Normalization::None)
            .validate()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "loss.form is \"gram\", which only computes sums of squares of the batch-normalised correlation; \
             loss.normalization = \"none\" requires the form \"auto\" or \"reference\""
        );
    }

    #[test]
    fn names_in_messages_are_the_names_in_files() {
        let file = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        for objective in [
            Objective::BarlowTwins,
            Objective::Invariance,
            Objective::Redundancy,
            Objective::CrossEntropy,
            Objective::AutoCorrelation,
        ] {
            assert_eq!(file(serde_json::to_value(objective).unwrap()), objective.name());
        }
        for normalization in [Normalization::Batch, Normalization::Feature, Normalization::None] {
            assert_eq!(file(serde_json::to_value(normalization).unwrap()), normalization.name());
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
            .with_form(LossForm::Reference)
            .with_objective(Objective::CrossEntropy)
            .with_normalization(Normalization::Feature);
        let text = config.to_string();
        for name in ["\"reference\"", "\"cross-entropy\"", "\"feature\""] {
            assert!(text.contains(name), "{text}");
        }
        assert_eq!(BarlowTwinsLossConfig::load_binary(text.as_bytes()).unwrap(), config);
    }
}
