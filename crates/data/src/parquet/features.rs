//! Hugging Face's description of a Parquet file's columns, JSON in its metadata: which are images, and names of classes.

use serde_json::Value;

/// What is known of the columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ClassLabels {
    /// Columns of images.
    pub(super) images: Vec<String>,
    /// Columns of classes with the names of these.
    pub(super) names: Vec<(String, Vec<String>)>,
}

/// Reads the value of the key `huggingface`; what is not as expected is not used.
pub(super) fn features(json: &[u8]) -> ClassLabels {
    let mut found = ClassLabels::default();
    let value: Value = serde_json::from_slice(json).unwrap_or_default();
    let Some(features) = value.pointer("/info/features").and_then(Value::as_object) else {
        return found;
    };
    for (column, feature) in features {
        match feature.get("_type").and_then(Value::as_str) {
            Some("Image") => found.images.push(column.clone()),
            Some("ClassLabel") => {
                let names = feature.get("names").and_then(Value::as_array);
                let names = names.into_iter().flatten().map(|name| name.as_str().map(str::to_owned));
                if let Some(names) = names.collect::<Option<Vec<String>>>()
                    && !names.is_empty()
                {
                    found.names.push((column.clone(), names));
                }
            }
            _ => {}
        }
    }
    found
}
