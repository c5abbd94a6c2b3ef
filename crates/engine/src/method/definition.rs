//! A method's settings: from a config to its spec, before there is a backend.

use super::{MethodSpec, Outlook};
use barlow_augment::ViewGroup;
use barlow_model::MlpConfig;
use thiserror::Error;

/// The inputs of a method from the rest of the config.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodInputs {
    /// The groups of `[views]`: a and b.
    pub views: Vec<ViewGroup>,
    /// The projector of `[model]`.
    pub projector: MlpConfig,
    /// Images per step, N.
    pub batch_size: usize,
    /// The largest tensor on the device in bytes; `None` without a limit, or before it is known.
    pub largest_buffer: Option<u64>,
}

/// A method as data: what the loop, the plan and the checkpoints need to know of it.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodPlan {
    /// Its parts.
    pub spec: MethodSpec,
    /// The estimates for its loss.
    pub outlook: Outlook,
}

/// A key of a method outside its range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{key}` is {value}: {allowed}")]
pub struct MethodKeyError {
    /// The key, dotted, such as `method.vicreg.variance`.
    pub key: String,
    /// The rejected value.
    pub value: String,
    /// What is allowed.
    pub allowed: String,
}

impl MethodKeyError {
    /// An error of the key `method.<method>.<key>`.
    pub fn new(method: &str, key: &str, value: impl ToString, allowed: &str) -> Self {
        Self {
            key: format!("method.{method}.{key}"),
            value: value.to_string(),
            allowed: allowed.to_owned(),
        }
    }

    /// Checks that a key is a finite number above 0.
    ///
    /// # Errors
    /// If it is not.
    pub fn check_positive(method: &str, key: &str, value: f64) -> Result<(), Self> {
        if value.is_finite() && value > 0.0 {
            return Ok(());
        }
        Err(Self::new(method, key, value, "it must be a finite number above 0"))
    }

    /// Checks that a key is a finite number, at least 0.
    ///
    /// # Errors
    /// If it is not.
    pub fn check_non_negative(method: &str, key: &str, value: f64) -> Result<(), Self> {
        if value.is_finite() && value >= 0.0 {
            return Ok(());
        }
        Err(Self::new(method, key, value, "it must be a finite number, at least 0"))
    }

    /// Checks that a key is in [0, 1].
    ///
    /// # Errors
    /// If it is not.
    pub fn check_fraction(method: &str, key: &str, value: f64) -> Result<(), Self> {
        if (0.0..=1.0).contains(&value) {
            return Ok(());
        }
        Err(Self::new(method, key, value, "it must be in [0, 1]"))
    }

    /// Checks that a key is a width from 1 to 1,048,576.
    ///
    /// # Errors
    /// If it is not.
    pub fn check_width(method: &str, key: &str, value: usize) -> Result<(), Self> {
        if (1..=1 << 20).contains(&value) {
            return Ok(());
        }
        Err(Self::new(method, key, value, "it must be from 1 to 1048576"))
    }
}

/// A method's settings, as a config file has them.
pub trait MethodDefinition {
    /// Checks every number against its range.
    ///
    /// # Errors
    /// [`MethodKeyError`] with the first key out of range.
    fn validate(&self) -> Result<(), MethodKeyError>;

    /// Checks what depends on the rest of the config too, after every number is in its range.
    ///
    /// # Errors
    /// [`MethodKeyError`] with the first key that does not fit.
    fn check(&self, _inputs: &MethodInputs) -> Result<(), MethodKeyError> {
        Ok(())
    }

    /// The parts of the method with these settings.
    fn spec(&self, inputs: &MethodInputs) -> MethodSpec;

    /// The estimates for its loss.
    fn outlook(&self, inputs: &MethodInputs) -> Outlook;

    /// Both.
    fn plan(&self, inputs: &MethodInputs) -> MethodPlan {
        MethodPlan {
            spec: self.spec(inputs),
            outlook: self.outlook(inputs),
        }
    }
}
