//! The interface of a file of features.

use anyhow::Result;
use std::path::PathBuf;

/// One image's entry beside its features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureRow {
    /// Path below the data set's folder.
    pub path: String,
    /// Names of its classes; empty without labels.
    pub classes: Vec<String>,
}

/// Takes features in the order of their rows and writes them as a file. The file appears whole, when it is finished.
pub trait FeatureWriter {
    /// Appends rows: `values` is `[rows, width]`.
    ///
    /// # Errors
    /// With the path.
    fn append(&mut self, rows: &[FeatureRow], values: &[f32]) -> Result<()>;

    /// Completes the file. Returns the files that were written.
    ///
    /// # Errors
    /// With the path.
    fn finish(self: Box<Self>) -> Result<Vec<PathBuf>>;
}
