//! Listing of one folder: which names are images, which are folders, and when it was last modified.
//!
//! A file costs no extra system call unless it is a link. This file must not open an image, nor decide what folders mean.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::names::Names;
use crate::extensions::has_image_extension;
use crate::leftovers::is_leftover;
use crate::{DataError, LeftOut, LeftOutReason};

/// A run of this program has a folder of checkpoints, beside a config or, before that is written, a lock.
pub(crate) const RUN_CHECKPOINTS: &str = "checkpoints";
/// The files, any of which marks a run with that folder.
pub(crate) const RUN_FILES: [&str; 3] = ["config.toml", "metrics.jsonl", ".lock"];

/// The direct content of a folder, sorted by name.
pub(crate) struct Listing {
    pub(crate) images: Names,
    pub(crate) folders: Vec<Folder>,
    /// The files and folders that are neither.
    pub(crate) left_out: LeftOut,
    /// Whether this is the folder of a run of this program, whose pictures are not the user's images.
    pub(crate) is_run: bool,
    /// Modification time before it was listed, in nanoseconds since 1970, where the system provides it.
    pub(crate) changed: Option<i64>,
}

impl Listing {
    /// In the place of what lies in the folder of a run.
    pub(crate) fn of_run(changed: Option<i64>) -> Self {
        Self {
            images: Names::default(),
            folders: Vec::new(),
            left_out: LeftOut::default(),
            is_run: true,
            changed,
        }
    }
}

/// A folder in a folder.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Folder {
    pub(crate) name: OsString,
    pub(crate) is_link: bool,
}

/// Lists one folder: images and folders that are not hidden or otherwise a system's own.
pub(crate) fn list(folder: &Path) -> Result<Listing, DataError> {
    let read_error = |source| DataError::Read {
        path: folder.into(),
        source,
    };
    // Read before the listing, so that a change during the listing shows as a later time.
    let changed = match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => changed(&metadata),
        Ok(_) => return Err(DataError::NotAFolder { path: folder.into() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(DataError::MissingFolder { path: folder.into() });
        }
        Err(error) => return Err(read_error(error)),
    };
    let (mut images, mut folders) = (Names::default(), Vec::new());
    let (mut left_out, mut has_run_file) = (LeftOut::default(), false);
    for entry in fs::read_dir(folder).map_err(read_error)? {
        let entry = entry.map_err(read_error)?;
        let name = entry.file_name();
        let is_run_file = || RUN_FILES.iter().any(|file| name == *file);
        if is_leftover(&name) {
            has_run_file |= is_run_file();
            left_out.add(LeftOutReason::Leftover, name.to_string_lossy());
            continue;
        }
        // Links are followed. A broken one is listed by its name, so that it is reported and not lost; pipes and
        // devices are not, because reading them may never end.
        let own = entry.file_type();
        let is_link = own.as_ref().is_ok_and(fs::FileType::is_symlink);
        let kind = match own {
            Ok(kind) if !is_link => Ok(kind),
            _ => fs::metadata(entry.path()).map(|metadata| metadata.file_type()),
        };
        if kind.as_ref().is_ok_and(fs::FileType::is_dir) {
            folders.push(Folder { name, is_link });
        } else if kind.as_ref().map_or(true, fs::FileType::is_file) && has_image_extension(Path::new(&name)) {
            if !images.push(&name) {
                return Err(DataError::NameNotUnicode { path: entry.path() });
            }
        } else {
            has_run_file |= is_run_file();
            // A pipe or a device with an image's name is not a picture of another format.
            let path = Path::new(&name);
            let extension = path.extension().filter(|_| !has_image_extension(path));
            let extension = extension.map(|extension| extension.to_string_lossy());
            left_out.add(
                LeftOutReason::of_extension(extension.as_deref()),
                name.to_string_lossy(),
            );
        }
    }
    folders.sort();
    let is_run = has_run_file && folders.iter().any(|folder| folder.name == RUN_CHECKPOINTS);
    Ok(Listing {
        images: images.sorted(),
        folders,
        left_out,
        is_run,
        changed,
    })
}

/// Time of the last change of a folder's entries, in nanoseconds since 1970, where the system provides it.
pub(crate) fn changed(metadata: &fs::Metadata) -> Option<i64> {
    nanoseconds(metadata.modified().ok()?)
}

/// Nanoseconds from 1970 to `time`; `None` if they do not fit, centuries away.
pub(crate) fn nanoseconds(time: SystemTime) -> Option<i64> {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).ok(),
        Err(before) => i64::try_from(before.duration().as_nanos()).ok().map(|ns| -ns),
    }
}
