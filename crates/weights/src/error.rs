//! Errors of weight files: one line each, with the file, what is wrong in it, and what to do.

use std::fmt;
use std::path::PathBuf;

/// A weight file that cannot be read or written.
#[derive(Debug)]
pub struct WeightsError {
    /// The file, unless the bytes were in memory.
    pub path: Option<PathBuf>,
    /// What is wrong with it.
    pub fault: Fault,
}

impl fmt::Display for WeightsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(formatter, "{}: {}", path.display(), self.fault),
            None => self.fault.fmt(formatter),
        }
    }
}

impl std::error::Error for WeightsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.fault)
    }
}

/// What is wrong with a weight file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The operating system reports an error.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The content is in no format that this crate reads.
    #[error("neither a .pth nor a .safetensors file ({what}); load it where it was made and save its state dict again")]
    Format {
        /// What the content looks like.
        what: &'static str,
    },
    /// The file ends too early.
    #[error("the file ends inside {what}; copy or download it again")]
    Truncated {
        /// What is incomplete.
        what: String,
    },
    /// The zip or tar archive is not valid, or not one that torch writes.
    #[error("the archive is damaged or was not written by torch: {0}")]
    Archive(String),
    /// The values were saved on a big-endian machine.
    #[error("saved on a big-endian machine; load it with torch there and save it again on a little-endian one")]
    BigEndian,
    /// The pickle is not valid, or uses what torch does not.
    #[error("the pickle is damaged or was not written by torch: {problem} at byte {at}")]
    Pickle {
        /// Position in the pickle.
        at: usize,
        /// What is wrong.
        problem: String,
    },
    /// The header of a safetensors file is not valid.
    #[error("the safetensors header is damaged: {0}")]
    Header(String),
    /// The index of a sharded checkpoint does not match its files.
    #[error("the index of shards is damaged: {0}")]
    Index(String),
    /// One tensor cannot be read.
    #[error("the tensor {}: {problem}", quoted(name))]
    Tensor {
        /// Name of the tensor.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// No tensor has this name.
    #[error("it has no tensor {}", quoted(name))]
    Missing {
        /// The name.
        name: String,
    },
    /// The file is larger or deeper than any real checkpoint.
    #[error("{what} over the limit of {limit}; no checkpoint needs that, so the file is refused")]
    Limit {
        /// What is too large, such as `nesting`.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}

impl Fault {
    /// The fault of the tensor `name`.
    pub(crate) fn tensor(name: &str, problem: impl Into<String>) -> Self {
        Self::Tensor {
            name: name.to_owned(),
            problem: problem.into(),
        }
    }

    /// The file ends inside `what`.
    pub(crate) fn truncated(what: impl Into<String>) -> Self {
        Self::Truncated { what: what.into() }
    }
}

/// Longest part of a name that is printed, in characters.
const PRINTED: usize = 120;

/// A name from a file, in quotes, on one line and of limited length.
pub(crate) fn quoted(name: &str) -> String {
    let short: String = name.chars().take(PRINTED).collect();
    let dots = if name.chars().nth(PRINTED).is_some() { "…" } else { "" };
    format!("'{}{dots}'", short.escape_debug().to_string().replace("\\'", "'"))
}

impl From<Fault> for WeightsError {
    fn from(fault: Fault) -> Self {
        Self { path: None, fault }
    }
}

impl From<std::io::Error> for WeightsError {
    fn from(error: std::io::Error) -> Self {
        Fault::Io(error).into()
    }
}
