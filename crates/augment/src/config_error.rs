//! [`ConfigError`], a configuration value outside its range.
//!
//! This file must not decide what is in range.

use std::fmt::Display;

/// A value outside its range: the key as written in the config file, the value, and the allowed values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value} is not allowed: {allowed}")]
pub struct ConfigError {
    /// The key, such as `views.a.jitter.hue`.
    pub key: String,
    /// The rejected value as text.
    pub value: String,
    /// The values that the key accepts.
    pub allowed: String,
}

impl ConfigError {
    pub(crate) fn new(key: impl Into<String>, value: impl Display, allowed: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.to_string(),
            allowed: allowed.into(),
        }
    }
}
