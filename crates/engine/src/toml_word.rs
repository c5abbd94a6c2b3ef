//! Values as config files write them.

use serde::Serialize;

/// The word that a config file has for a value, such as `resnet18`; empty for what is not a word there.
pub(crate) fn toml_word(value: &impl Serialize) -> String {
    toml::Value::try_from(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
