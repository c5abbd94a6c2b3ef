//! Why an image cache could not be written or read, and why one on the disk is not used. This file must not decide when.

use std::path::{Path, PathBuf};

use super::CACHE_VERSION;

/// Why a file is not the cache it should be. Reads as "the file .. because {}".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CacheFault {
    /// The first bytes are another format's.
    #[error("it is not an image cache")]
    Foreign,
    /// Made by another version of this program.
    #[error("its format has version {found} and this program makes version {CACHE_VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// Its length is not what its header says.
    #[error("it has another length than its header says (cut off?)")]
    Length,
    /// A checksum does not fit.
    #[error("its checksum is wrong (damaged)")]
    Checksum,
    /// The checksum fits, and yet the numbers cannot be.
    #[error("its index contradicts itself")]
    Index,
    /// It is whole, but holds other images.
    #[error("it was made from other images or with other settings")]
    Outdated,
}

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

    /// The file the error is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::DiskFull { path } | Self::Write { path, .. } | Self::Damaged { path, .. } => path,
        }
    }
}
