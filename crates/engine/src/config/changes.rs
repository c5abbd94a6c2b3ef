//! The differences of two configs, and which of them are allowed when a run is resumed.

use super::Config;
use std::collections::BTreeMap;
use std::fmt;
use toml::Value;

/// Keys, or prefixes of keys, that cannot change within a run, because the steps already made would not match: another network
/// or optimiser state, or other batches at the same step numbers.
const FIXED: [&str; 11] = [
    "data.holdout",
    "data.train_fraction",
    "data.train_images",
    "data.train_names",
    "method.",
    "model.",
    "optimizer.kind",
    "optimizer.rate_in_momentum",
    "train.batch_size",
    "train.micro_batch",
    "run.seed",
];

/// A key with its value in two configs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key, dotted.
    pub key: String,
    /// Its value in the first one, as TOML; `None` if it is not set there.
    pub before: Option<String>,
    /// Its value in the second one.
    pub after: Option<String>,
}

impl Change {
    /// Whether a run can be resumed with it.
    pub fn is_allowed(&self) -> bool {
        !FIXED.iter().any(|fixed| self.key.starts_with(fixed))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
        write!(f, "{} {} -> {}", self.key, value(&self.before), value(&self.after))
    }
}

/// The keys in which two configs differ, in alphabetical order. The number of view threads never changes what is computed and
/// is ignored.
pub fn changes(before: &Config, after: &Config) -> Vec<Change> {
    let (before, after) = (flat(before), flat(after));
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    changed
        .map(|key| Change {
            key: key.clone(),
            before: before.get(key).cloned(),
            after: after.get(key).cloned(),
        })
        .collect()
}

/// Every key of a config with its value as TOML; without the number of view threads.
pub(crate) fn flat(config: &Config) -> BTreeMap<String, String> {
    fn add(value: &Value, key: String, to: &mut BTreeMap<String, String>) {
        match value {
            Value::Table(table) => {
                for (name, value) in table {
                    let dot = if key.is_empty() { "" } else { "." };
                    add(value, format!("{key}{dot}{name}"), to);
                }
            }
            value => {
                to.insert(key, value.to_string());
            }
        }
    }
    let mut config = config.clone();
    config.data.workers = None;
    let mut values = BTreeMap::new();
    let value = Value::try_from(config).expect("a config has only TOML types");
    add(&value, String::new(), &mut values);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_differs_is_named_with_both_values() {
        let before = Config::default();
        let mut after = before.clone();
        assert_eq!(changes(&before, &after), []);
        after.train.epochs = 7;
        after.optimizer.learning_rate_weights = Some(0.5);
        after.model.projector = "64".into();
        after.data.workers = Some(3);
        let found = changes(&before, &after);
        let lines: Vec<String> = found.iter().map(Change::to_string).collect();
        let expected = [
            "model.projector \"8192-8192-8192\" -> \"64\"",
            "optimizer.learning_rate_weights not set -> 0.5",
            "train.epochs 1000 -> 7",
        ];
        assert_eq!(lines, expected);
        assert_eq!(
            found.iter().map(Change::is_allowed).collect::<Vec<_>>(),
            [false, true, true]
        );
    }
}
