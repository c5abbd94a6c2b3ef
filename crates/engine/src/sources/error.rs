//! A data set that cannot be used.

use crate::config::DataPathError;
use barlow_data::DataError;
use std::path::PathBuf;
use thiserror::Error;

/// A data set that cannot be used.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The data set cannot be found.
    #[error(transparent)]
    Path(#[from] DataPathError),
    /// A cache on disk was requested, and there is no folder for it.
    #[error("data.cache: the user's cache folder cannot be written to; set data.cache to \"auto\" or \"off\"")]
    NoCacheFolder,
    /// Fewer training images than `data.train_images`.
    #[error("data.train_images is {wanted} and there are only {found} training images; lower it or remove it")]
    TooFew {
        /// Requested.
        wanted: usize,
        /// Available.
        found: usize,
    },
    /// A list of names that does not fit the training images.
    #[error("data.train_names: {}: {reason}", path.display())]
    Names {
        /// The list.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The reader's own error.
    #[error(transparent)]
    Data(#[from] DataError),
}
