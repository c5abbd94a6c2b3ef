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

/// A method's settings, as a config file has them.
pub trait MethodDefinition {
    /// Checks every number against its range.
    ///
    /// # Errors
    /// [`MethodKeyError`] with the first key out of range.
    fn validate(&self) -> Result<(), MethodKeyError>;

    /// The parts of the method with these settings.
    fn spec(&self, inputs: &MethodInputs) -> MethodSpec;

    /// The estimates for its loss.
    fn outlook(&self, inputs: &MethodInputs) -> Outlook;
}
