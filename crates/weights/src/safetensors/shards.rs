//! The index of a sharded checkpoint: `{"weight_map": {NAME: FILE}}`.

use crate::error::{Fault, quoted};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Largest index, in bytes.
pub(crate) const MAX_INDEX: u64 = 100_000_000;

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Names of tensors, by the name of the file that holds them.
pub(crate) type Shards = BTreeMap<String, Vec<String>>;

/// Whether a file that begins with `start` may be an index.
pub(crate) fn is_index(start: &[u8]) -> bool {
    start.trim_ascii_start().first() == Some(&b'{')
}

/// # Errors
/// [`Fault::Index`] if it is not valid, or names a file outside of its own folder.
pub(crate) fn parse_index(bytes: &[u8]) -> Result<Shards, Fault> {
    if bytes.len() as u64 > MAX_INDEX {
        return Err(Fault::Limit {
            what: "bytes of the index",
            limit: MAX_INDEX,
        });
    }
    let index: Index = serde_json::from_slice(bytes).map_err(|error| {
        let text: String = error
            .to_string()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(300)
            .collect();
        Fault::Index(text)
    })?;
    let mut shards = Shards::new();
    for (name, file) in index.weight_map {
        let is_plain = !file.is_empty() && !file.starts_with('.') && !file.contains(['/', '\\', ':', '\0']);
        if !is_plain {
            return Err(Fault::Index(format!("{} is not a file beside it", quoted(&file))));
        }
        shards.entry(file).or_default().push(name);
    }
    Ok(shards)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_names_only_files_beside_it() {
        let shards = parse_index(br#"{"metadata":{"total_size":8},"weight_map":{"b":"1.st","a":"1.st","c":"2.st"}}"#);
        let shards = shards.unwrap();
        assert_eq!(shards["1.st"], ["a", "b"]);
        assert_eq!(shards["2.st"], ["c"]);
        for file in ["../x", "/etc/passwd", "a/b", "..", "", "C:x"] {
            let index = format!(r#"{{"weight_map":{{"a":"{file}"}}}}"#);
            assert!(matches!(parse_index(index.as_bytes()), Err(Fault::Index(_))), "{file}");
        }
        assert!(parse_index(b"{}").is_err());
    }
}
