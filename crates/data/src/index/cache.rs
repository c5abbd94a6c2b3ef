//! The cache of folder indexes: the index of a large folder is stored for later runs in a folder that the caller names.
//!
//! A stored index is used only if no listed folder has changed since. In every other case (none, an old one, a damaged
//! one, one that cannot be written) the folders are listed again and a note reports why: a cache never causes an error.
//! This file must not decide where a cache is stored.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rayon::prelude::*;

use super::FolderIndex;
use super::format::{StoredIndex, parse_index};
use super::listing::{changed, nanoseconds};
use super::names::to_bytes;
use super::scan::{FolderReading, Scan, scan};
use crate::{DataError, LeftOut};

/// A folder that changed less than this before it was listed may change again within one tick of its file system's
/// clock (two seconds on FAT), and its modification time would not show it.
pub(crate) const SETTLED: Duration = Duration::from_secs(2);

/// Where indexes are stored, and from which size of a set on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexCache {
    /// The folder of the indexes, created when the first is stored.
    pub folder: PathBuf,
    /// Smallest number of images for which an index is stored; a smaller set is listed as fast as its index is read.
    pub min_images: usize,
}

/// Whether a cached index was used or stored. Displayed as one line for the user, without a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexNote {
    /// The stored index was up to date, and no folder was listed.
    Used {
        /// Its file.
        file: PathBuf,
    },
    /// The folders were listed and the index stored.
    Stored {
        /// Its file.
        file: PathBuf,
        /// Why an existing index was not used.
        replaced: Option<String>,
    },
    /// The folders were listed; the set is too small to store its index.
    Small,
    /// The folders were listed; one of them had just changed, so the index may already be stale and was not stored.
    Unsettled,
    /// The folders were listed; the index could not be stored.
    NotStored {
        /// Why it could not be stored.
        reason: String,
    },
}

impl fmt::Display for IndexNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Used { file } => write!(f, "index read from {}", file.display()),
            Self::Stored { file, replaced: None } => write!(f, "folders listed, index stored in {}", file.display()),
            Self::Stored {
                file,
                replaced: Some(reason),
            } => write!(
                f,
                "folders listed again, because the index in {} was {reason}",
                file.display()
            ),
            Self::Small => write!(f, "folders listed; too few images to store an index"),
            Self::Unsettled => write!(f, "folders listed; index not stored, because a folder has just changed"),
            Self::NotStored { reason } => write!(f, "folders listed; index not stored: {reason}"),
        }
    }
}

impl IndexCache {
    /// Indexes in `folder`, of sets of 10,000 images or more.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            min_images: 10_000,
        }
    }

    /// The file of the index of `root`, whether or not it exists.
    #[must_use]
    pub fn file(&self, root: &Path) -> PathBuf {
        self.file_of(root, FolderReading::Detected)
    }

    /// A folder that is read as a split may have other classes, so it has another index.
    fn file_of(&self, root: &Path, reading: FolderReading) -> PathBuf {
        let root = real(root);
        let name = match to_bytes(root.as_os_str()) {
            Some(bytes) => blake3::hash(bytes),
            None => blake3::hash(root.to_string_lossy().as_bytes()),
        };
        let kind = match reading {
            FolderReading::Detected => "",
            FolderReading::Split => "-split",
        };
        self.folder.join(format!("{}{kind}.index", &name.to_hex()[..32]))
    }

    /// The index of `root` and what it leaves out: the stored one if it is up to date, otherwise a new one.
    pub(crate) fn index(
        &self,
        root: &Path,
        reading: FolderReading,
    ) -> Result<(FolderIndex, LeftOut, IndexNote), DataError> {
        let file = self.file_of(root, reading);
        let replaced = match self.load(root, &file) {
            Ok(Some(stored)) => return Ok((stored.index, stored.left_out, IndexNote::Used { file })),
            Ok(None) => None,
            Err(reason) => Some(reason),
        };
        let settled = SystemTime::now().checked_sub(SETTLED).and_then(nanoseconds);
        let Scan {
            index,
            stamps,
            left_out,
        } = scan(root, reading)?;
        if index.len() < self.min_images {
            return Ok((index, left_out, IndexNote::Small));
        }
        let stamps: Option<Vec<(PathBuf, i64)>> = stamps
            .into_iter()
            .map(|(path, changed)| {
                Some((
                    path,
                    changed.filter(|&changed| settled.is_some_and(|limit| changed < limit))?,
                ))
            })
            .collect();
        let Some(stamps) = stamps else {
            return Ok((index, left_out, IndexNote::Unsettled));
        };
        let stored = StoredIndex {
            root: real(root),
            index,
            stamps,
            left_out,
        };
        let note = match store(&stored, &file) {
            Ok(()) => IndexNote::Stored { file, replaced },
            Err(reason) => IndexNote::NotStored { reason },
        };
        Ok((stored.index, stored.left_out, note))
    }

    /// The stored index, `None` if there is no file, or why it is not used.
    fn load(&self, root: &Path, file: &Path) -> Result<Option<StoredIndex>, String> {
        let bytes = match fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("not readable ({error})")),
        };
        let stored = parse_index(&bytes).map_err(|error| error.to_string())?;
        if stored.root != real(root) {
            return Err("of another folder".into());
        }
        let is_same = |(path, stamp): &(PathBuf, i64)| {
            fs::metadata(root.join(path)).is_ok_and(|metadata| metadata.is_dir() && changed(&metadata) == Some(*stamp))
        };
        if !stored.stamps.par_iter().all(is_same) {
            return Err("out of date".into());
        }
        Ok(Some(stored))
    }
}

/// The canonical path of a folder: the same for every spelling and through any links.
fn real(root: &Path) -> PathBuf {
    let real = root.canonicalize().or_else(|_| std::path::absolute(root));
    real.unwrap_or_else(|_| root.into())
}

fn store(stored: &StoredIndex, file: &Path) -> Result<(), String> {
    let bytes = stored.to_bytes().ok_or("a path in it is too long or not Unicode")?;
    store_bytes(&bytes, file)
}

/// Writes to a temporary file and renames it, so that another program never reads a partial index.
pub(crate) fn store_bytes(bytes: &[u8], file: &Path) -> Result<(), String> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let told = |path: &Path, error: std::io::Error| format!("cannot write {}: {error}", path.display());
    fs::create_dir_all(folder).map_err(|error| told(folder, error))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".index-").suffix(".tmp");
    // Permissions follow the user's umask, as for any other file: a set is often shared.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(folder).map_err(|error| told(folder, error))?;
    temporary.write_all(bytes).map_err(|error| told(file, error))?;
    temporary.persist(file).map_err(|error| told(file, error.error))?;
    Ok(())
}
