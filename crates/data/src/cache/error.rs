//! Errors of image caches: why one could not be written or read, and why one on disk is not used. This file must not
//! decide when.

use std::path::{Path, PathBuf};

use super::CACHE_VERSION;

/// Why a cache file cannot be used. Reads as "the file .. because {}".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CacheFault {
    /// The first bytes are another format's.
    #[error("it is not an image cache")]
    Foreign,
    /// Made by another version of this program.
    #[error("its format has version {found} and this program writes version {CACHE_VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// Its length does not match its header.
    #[error("its length does not match its header (truncated?)")]
    Length,
    /// A checksum does not match.
    #[error("its checksum is wrong (damaged)")]
    Checksum,
    /// The checksum matches, but the numbers are impossible.
    #[error("its index contradicts itself")]
    Index,
    /// It is intact, but holds other images.
    #[error("it was made from other images or with other settings")]
    Outdated,
}

/// An error of writing or reading the file of an image cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The disk is full.
    #[error("the disk of the image cache {} is full; free some space, choose another place or disable the cache", path.display())]
    DiskFull {
        /// The cache.
        path: PathBuf,
    },
    /// It could not be written for another reason.
    #[error("cannot write the image cache {}: {source}; choose another place or disable the cache", path.display())]
    Write {
        /// The cache.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Pixels on the disk are not the ones that were written.
    #[error("the image cache {} is damaged at {name}; delete the file, it will be rebuilt", path.display())]
    Damaged {
        /// The cache.
        path: PathBuf,
        /// Name of the image.
        name: String,
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

    /// The file that the error is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::DiskFull { path } | Self::Write { path, .. } | Self::Damaged { path, .. } => path,
        }
    }
}
