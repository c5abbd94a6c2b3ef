//! Loads a [`Config`] from layers: defaults < file < `--set` < named flags.
//!
//! The layers are merged as TOML tables and read once, so that a key means the same wherever it was given, and an error
//! names the key and the layer it came from.

use super::suggest::explain_unknown;
use super::{Config, ConfigError, DEFAULT_RECIPE, RECIPES, nearest};
use serde::de::DeserializeOwned;
use std::path::Path;
use toml::{Table, Value};

/// The config layers of one run, lowest precedence first.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// Name of a shipped recipe or path of a file; `None` takes the default recipe.
    pub recipe: Option<String>,
    /// `KEY=VALUE` pairs of `--set`, in order.
    pub sets: Vec<String>,
    /// Named flags as (dotted key, value).
    pub flags: Vec<(&'static str, Value)>,
}

impl Layers {
    /// A file alone.
    pub fn of_file(path: &Path) -> Self {
        Self {
            recipe: Some(path.to_string_lossy().into_owned()),
            ..Self::default()
        }
    }
}

/// Merges the layers, checks the numbers and returns the config with the recipe's name.
///
/// # Errors
/// [`ConfigError`], one line each.
pub fn load(layers: &Layers) -> Result<(String, Config), ConfigError> {
    let (name, config): (String, Config) = merged(layers, DEFAULT_RECIPE, RECIPES)?;
    config.validate()?;
    Ok((name, config))
}

/// Merges the layers over one of `recipes` (`default` if none is named) or a file; the numbers are not checked. Also returns the recipe's
/// name.
///
/// # Errors
/// [`ConfigError`], one line each.
pub(crate) fn merged<T: DeserializeOwned>(
    layers: &Layers,
    default: &str,
    recipes: &[(&str, &str)],
) -> Result<(String, T), ConfigError> {
    let recipe = layers.recipe.as_deref().unwrap_or(default);
    let (name, origin, text) = read_recipe(recipe, recipes)?;
    let mut table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| syntax(&origin, &text, &error))?;
    // Read alone first: an error in the file must name the file, not a flag.
    read_table::<T>(&table, &origin)?;
    for given in &layers.sets {
        let (key, value) = parse_set(given)?;
        insert(&mut table, key, value, given)?;
        read_table::<T>(&table, &format!("--set {given}"))?;
    }
    for (key, value) in &layers.flags {
        insert(&mut table, key, value.clone(), key)?;
    }
    Ok((name, read_table(&table, "command line")?))
}

fn read_recipe(given: &str, recipes: &[(&str, &str)]) -> Result<(String, String, String), ConfigError> {
    let path = Path::new(given);
    // A file wins over a recipe of the same name only if it looks like a path: `--config smoke` must not depend on what
    // happens to lie in the working directory.
    let looks_like_path = path.extension().is_some() || path.components().count() > 1;
    if !looks_like_path && let Some((_, text)) = recipes.iter().find(|(known, _)| *known == given) {
        return Ok((given.to_owned(), format!("recipe {given}"), (*text).to_owned()));
    }
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let name = path
                .file_stem()
                .unwrap_or(path.as_os_str())
                .to_string_lossy()
                .into_owned();
            Ok((name, path.display().to_string(), text))
        }
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            let known: Vec<&str> = recipes.iter().map(|(name, _)| *name).collect();
            let hint = nearest(given, known.iter().copied());
            Err(ConfigError::NotFound {
                name: given.to_owned(),
                known: known.join(", "),
                hint: did_you_mean(hint, ""),
            })
        }
        Err(source) => Err(ConfigError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Reads a whole table; an error names the key that does not fit.
fn read_table<T: DeserializeOwned>(table: &Table, origin: &str) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(table.clone()).map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().message().to_owned();
        match explain_unknown(&message) {
            Some((unknown, near)) => {
                // serde's path already ends with an unknown field, not with an unknown value.
                let parent = path.strip_suffix(&unknown).map(|parent| parent.trim_end_matches('.'));
                let prefix = match parent {
                    Some("") | None => String::new(),
                    Some(parent) => format!("{parent}."),
                };
                let hint = match (&near, message.split_once("expected ")) {
                    // An unknown value without a similar one: the list of accepted values is short enough to print.
                    (None, Some((_, expected))) if message.starts_with("unknown variant") => {
                        format!("; it takes {expected}")
                    }
                    _ => did_you_mean(near.as_deref(), &prefix),
                };
                ConfigError::Unknown {
                    origin: origin.to_owned(),
                    path,
                    unknown,
                    hint,
                }
            }
            None => ConfigError::Type {
                origin: origin.to_owned(),
                path,
                message,
            },
        }
    })
}

fn did_you_mean(near: Option<&str>, prefix: &str) -> String {
    near.map(|near| format!("; did you mean `{prefix}{near}`?"))
        .unwrap_or_default()
}

fn parse_set(given: &str) -> Result<(&str, Value), ConfigError> {
    let (key, value) = given
        .split_once('=')
        .filter(|(key, _)| key.split('.').all(|part| !part.trim().is_empty()))
        .ok_or_else(|| ConfigError::Set {
            given: given.to_owned(),
        })?;
    // As TOML if it is TOML, else a string: `--set model.backbone=resnet18` needs no quotes.
    let parsed = format!("value = {value}")
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"));
    Ok((key.trim(), parsed.unwrap_or_else(|| Value::String(value.to_owned()))))
}

fn insert(table: &mut Table, key: &str, value: Value, origin: &str) -> Result<(), ConfigError> {
    let mut table = table;
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().expect("split gives at least one part");
    for part in parts {
        let entry = table.entry(part.trim()).or_insert_with(|| Value::Table(Table::new()));
        table = entry.as_table_mut().ok_or_else(|| ConfigError::Type {
            origin: format!("--set {origin}"),
            path: key.to_owned(),
            message: format!("`{part}` is a value, not a section"),
        })?;
    }
    table.insert(last.trim().to_owned(), value);
    Ok(())
}

fn syntax(origin: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text[..start].matches('\n').count() + 1;
    ConfigError::Syntax {
        origin: origin.to_owned(),
        line,
        message: error.message().to_owned(),
    }
}
