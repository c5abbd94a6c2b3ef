//! Errors of exports that are found before anything is written.

use super::format::ExportFormat;
use crate::import::ImportFault;

/// A model that cannot be exported. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The format has no such networks.
    #[error("{format} has no {what}; {advice}")]
    Unsupported {
        /// The format.
        format: ExportFormat,
        /// What it does not have.
        what: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// The tensors are not those of the architecture.
    #[error("the model's tensors do not fit its architecture: {0}")]
    Tensors(#[from] ImportFault),
}
