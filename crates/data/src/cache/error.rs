//! Why an image cache could not be written or read. This file must not decide when.

use std::path::{Path, PathBuf};

/// What went wrong with the file of an image cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// There is no room for it.
    #[error("the disk of the image cache {} is full; free some space, name another place, or do without", path.display())]
    DiskFull {
        /// The cache.
        path: PathBuf,
    },
    /// It could not be written for another reason.
    #[error("cannot write the image cache {}: {source}; name another place, or do without", path.display())]
    Write {
        /// The cache.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Pixels on the disk are not the ones that were written.
    #[error("the image cache {} is damaged at {name}; delete the file, it will be made anew", path.display())]
    Damaged {
        /// The cache.
        path: PathBuf,
        /// Name of the image.
        name: String,
    },
    /// The images turned out to have other channels than their source says.
    #[error("{name} has {found} channels, but its set says {expected}; mend the set")]
    Channels {
        /// Name of the image.
        name: String,
        /// Channels it has.
        found: usize,
        /// Channels it should have.
        expected: usize,
    },
}

impl CacheError {
    /// An error of writing the cache `path`.
    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        let path = path.into();
        match source.kind() {
            StorageFull | QuotaExceeded => Self::DiskFull { path },
            _ => Self::Write { path, source },
        }
    }

    /// The file the error is about, if it is about one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::DiskFull { path } | Self::Write { path, .. } | Self::Damaged { path, .. } => Some(path),
            Self::Channels { .. } => None,
        }
    }
}
