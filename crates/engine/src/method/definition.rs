//! A method's settings: from a config to its spec, before there is a backend.

use super::{MethodSpec, Outlook};
use barlow_augment::ViewGroup;
use barlow_model::MlpConfig;
use thiserror::Error;

/// What the rest of a config gives a method.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodInputs {
    /// The groups of `[views]`: a and b.
    pub views: Vec<ViewGroup>,
    /// The projector of `[model]`.
    pub projector: MlpConfig,
    /// Images a step, N.
    pub batch_size: usize,
    /// The most bytes of one tensor on the device; none without a limit, or before it is known.
    pub largest_buffer: Option<u64>,
}

/// A key of a method outside its range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{key}` is {value}: {allowed}")]
pub struct MethodKeyError {
    /// The key, dotted, such as `method.vicreg.variance`.
    pub key: String,
    /// The refused value.
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

    /// What the method is made of with these settings.
    fn spec(&self, inputs: &MethodInputs) -> MethodSpec;

    /// What its loss will take, and how low it can get.
    fn outlook(&self, inputs: &MethodInputs) -> Outlook;
}
