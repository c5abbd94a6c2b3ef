//! Listing of one folder: which names are images, which are folders, and when it was last modified.
//!
//! A file costs no extra system call unless it is a link. This file must not open an image, nor decide what folders mean.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::names::Names;
use crate::DataError;

/// File name extensions of images, case-insensitive.
pub const IMAGE_EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

/// The direct content of a folder, sorted by name.
pub(crate) struct Listing {
    pub(crate) images: Names,
    pub(crate) folders: Vec<Folder>,
    /// Modification time before it was listed, in nanoseconds since 1970, where the system provides it.
    pub(crate) changed: Option<i64>,
}

/// A folder in a folder.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Folder {
    pub(crate) name: OsString,
    pub(crate) is_link: bool,
}

/// Lists one folder: images and folders that are not hidden.
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
    for entry in fs::read_dir(folder).map_err(read_error)? {
        let entry = entry.map_err(read_error)?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
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
        } else if kind.as_ref().map_or(true, fs::FileType::is_file)
            && has_image_extension(Path::new(&name))
            && !images.push(&name)
        {
            return Err(DataError::NameNotUnicode { path: entry.path() });
        }
    }
    folders.sort();
    Ok(Listing {
        images: images.sorted(),
        folders,
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

pub(crate) fn has_image_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        IMAGE_EXTENSIONS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(extension))
    })
}
