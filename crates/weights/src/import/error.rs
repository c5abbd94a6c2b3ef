//! Errors of imports: one line each, with the file, what does not fit, and what to do.

use crate::error::quoted;
use std::fmt;
use std::path::PathBuf;

/// Names that are listed; the others are counted.
const LISTED: usize = 10;

/// A weight file that cannot be imported. Nothing of it was loaded.
#[derive(Debug)]
pub struct ImportError {
    /// The file, unless the bytes were in memory.
    pub path: Option<PathBuf>,
    /// Why not.
    pub fault: ImportFault,
}

impl fmt::Display for ImportError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(formatter, "{}: {}", path.display(), self.fault),
            None => self.fault.fmt(formatter),
        }
    }
}

impl std::error::Error for ImportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.fault)
    }
}

/// A tensor whose shape is not the one that its place needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeMismatch {
    /// Name in the file.
    pub name: String,
    /// Shape in the file.
    pub found: Vec<usize>,
    /// Shape of the recognised network.
    pub expected: Vec<usize>,
}

impl fmt::Display for ShapeMismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, found, expected } = self;
        write!(formatter, "{} has the shape {found:?}, not {expected:?}", quoted(name))
    }
}

/// Why a weight file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportFault {
    /// Neither a ResNet nor a vision transformer is in the file.
    #[error(
        "neither a ResNet nor a vision transformer with known names among its {count} tensors{}; list them with `inspect`",
        first(names)
    )]
    Unrecognised {
        /// Number of tensors.
        count: usize,
        /// Their first names.
        names: Vec<String>,
    },
    /// A backbone that no model of this project is equal to.
    #[error("{what}; {advice}")]
    Unsupported {
        /// What it is.
        what: String,
        /// What can be imported instead.
        advice: &'static str,
    },
    /// Tensors are missing.
    #[error("not a whole {network}: {} of its {whole} tensors {} missing ({}); is the file cut, or of another network?", missing.len(), are(missing), listed(missing))]
    Incomplete {
        /// What was recognised.
        network: String,
        /// Number of tensors that it has.
        whole: usize,
        /// Names of those that are missing, under the prefix of the file.
        missing: Vec<String>,
    },
    /// Tensors that no network of the recognised kind has.
    #[error("not a {network}: {} of its tensors {} in no layer of one ({}); a network with other layers is not imported", unexpected.len(), are(unexpected), listed(unexpected))]
    Unexpected {
        /// What was recognised.
        network: String,
        /// Names of the other tensors.
        unexpected: Vec<String>,
    },
    /// Tensors have other shapes than the recognised network's.
    #[error("the shapes are not those of {network}: {}", listed(mismatches))]
    Shapes {
        /// What was recognised.
        network: String,
        /// The tensors.
        mismatches: Vec<ShapeMismatch>,
    },
    /// Two tensors are the same one of the model.
    #[error("both {} and {} are {} of the model", quoted(first), quoted(second), quoted(name))]
    Twice {
        /// Name in the model.
        name: String,
        /// Name in the file.
        first: String,
        /// Other name in the file.
        second: String,
    },
    /// Values that are not real numbers.
    #[error("{} holds {dtype} values, which cannot be converted to float32", quoted(name))]
    Dtype {
        /// Name in the file.
        name: String,
        /// Type of its values.
        dtype: crate::Dtype,
    },
}

fn are(names: &[String]) -> &'static str {
    if names.len() == 1 { "is" } else { "are" }
}

fn first(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => {
            let quoted: Vec<String> = names.iter().take(3).map(|name| quoted(name)).collect();
            format!(" ({}, …)", quoted.join(", "))
        }
    }
}

/// Ten of them, and the number of the others.
fn listed<T: Listed>(names: &[T]) -> String {
    let shown: Vec<String> = names.iter().take(LISTED).map(Listed::text).collect();
    let more = names.len().saturating_sub(LISTED);
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

trait Listed {
    fn text(&self) -> String;
}

impl Listed for String {
    fn text(&self) -> String {
        quoted(self).trim_matches('\'').to_owned()
    }
}

impl Listed for ShapeMismatch {
    fn text(&self) -> String {
        self.to_string()
    }
}
