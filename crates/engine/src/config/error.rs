//! A config that cannot be used.

use std::path::PathBuf;
use thiserror::Error;

/// A config that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Neither a file nor a recipe.
    #[error("no config {name}: it is neither a file nor one of the shipped recipes ({known}){hint}")]
    NotFound {
        /// The requested name.
        name: String,
        /// The shipped recipes.
        known: String,
        /// The nearest recipe, as a sentence.
        hint: String,
    },
    /// The file exists but cannot be read.
    #[error("cannot read the config {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML.
    #[error("{origin}: line {line}: {message}")]
    Syntax {
        /// The file or flag.
        origin: String,
        /// Line, from 1.
        line: usize,
        /// The parser's message.
        message: String,
    },
    /// A key or a named value that does not exist.
    #[error("{origin}: unknown key or value `{unknown}` at `{path}`{hint}")]
    Unknown {
        /// The file or flag.
        origin: String,
        /// Where, dotted.
        path: String,
        /// The word.
        unknown: String,
        /// The nearest known word, or the accepted words, as a sentence.
        hint: String,
    },
    /// A value of the wrong type.
    #[error("{origin}: `{path}`: {message}")]
    Type {
        /// The file or flag.
        origin: String,
        /// Where, dotted.
        path: String,
        /// serde's message.
        message: String,
    },
    /// `--set` without `=`.
    #[error("--set {given}: expected KEY=VALUE, for example --set train.epochs=30")]
    Set {
        /// What was given.
        given: String,
    },
    /// A custom backbone, which this program does not have.
    #[error(
        "model.backbone is \"custom\": only the program that trained this network can build it; this program has resnet18, \
         resnet34, resnet50, resnet101, resnet152, wide_resnet50_2, wide_resnet101_2, resnext50_32x4d, vit-tiny, vit-small and vit-base"
    )]
    CustomBackbone,
    /// A number outside its range.
    #[error("`{key}` is {value}: {allowed}")]
    Range {
        /// The key, dotted.
        key: String,
        /// The value.
        value: String,
        /// What is allowed, and the reason if it is not obvious.
        allowed: String,
    },
}
