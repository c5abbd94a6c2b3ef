//! From a folder on disk to the index of its images: what is listed, what is passed over, and what is an error.
//!
//! Folders are listed in parallel on the current rayon pool; a file costs no call of its own unless it is a link. This
//! file must not open an image, and knows no splits.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rayon::prelude::*;

use super::names::Names;
use super::{FolderIndex, FolderLayout};
use crate::DataError;
use crate::splits::SPLIT_NAMES;

/// File name extensions that make a file an image, in any case of letters.
pub const IMAGE_EXTENSIONS: [&str; 3] = ["jpg", "jpeg", "png"];

/// An index with what it takes to see later that it is still true.
pub(crate) struct Scan {
    pub(crate) index: FolderIndex,
    /// Every folder that was listed, below the root, with the time of its last change before it was.
    pub(crate) stamps: Vec<(PathBuf, Option<i64>)>,
}

/// What lies directly in a folder, sorted by name.
pub(crate) struct Listing {
    pub(crate) images: Names,
    pub(crate) folders: Vec<Folder>,
    changed: Option<i64>,
}

/// A folder in a folder.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Folder {
    pub(crate) name: OsString,
    is_link: bool,
}

/// Lists the images of `root`: directly in it, in class folders, or, where no folder one level below holds any, in
/// folders of any depth.
pub(crate) fn scan(root: &Path) -> Result<Scan, DataError> {
    let top = list(root)?;
    let mut stamps = vec![(PathBuf::new(), top.changed)];
    if !top.images.is_empty() {
        if let Some(folder) = top.folders.first() {
            return Err(DataError::MixedFolder {
                path: root.into(),
                image: top.images.get(0).to_string_lossy().into_owned(),
                folder: folder.name.to_string_lossy().into_owned(),
            });
        }
        let index = FolderIndex::from_sorted(FolderLayout::Flat, vec![(PathBuf::new(), top.images)])?;
        return Ok(Scan { index, stamps });
    }
    let classes: Vec<PathBuf> = top.folders.iter().map(|folder| PathBuf::from(&folder.name)).collect();
    let listings = list_all(root, &classes)?;
    stamps.extend(
        classes
            .iter()
            .cloned()
            .zip(listings.iter().map(|listing| listing.changed)),
    );
    if listings.iter().all(|listing| listing.images.is_empty()) {
        return nested(root, classes, listings, stamps);
    }
    if let Some((class, listing)) = classes
        .iter()
        .zip(&listings)
        .find(|(_, listing)| listing.images.is_empty())
    {
        let path = root.join(class);
        return Err(match listing.folders.first() {
            Some(folder) => DataError::NestedClass {
                path,
                folder: folder.name.to_string_lossy().into_owned(),
            },
            None => DataError::EmptyClass { path },
        });
    }
    let images = listings.into_iter().map(|listing| listing.images);
    let index = FolderIndex::from_sorted(FolderLayout::Classes, classes.into_iter().zip(images).collect())?;
    Ok(Scan { index, stamps })
}

/// Goes down from folders that hold no images. Links are not followed there, so it ends.
fn nested(
    root: &Path,
    mut level: Vec<PathBuf>,
    mut listings: Vec<Listing>,
    mut stamps: Vec<(PathBuf, Option<i64>)>,
) -> Result<Scan, DataError> {
    let mut parts = Vec::new();
    loop {
        // A data set further down: its labels and its test images must not be lost among the others.
        let is_split = |path: &&PathBuf| {
            SPLIT_NAMES
                .iter()
                .any(|name| path.file_name() == Some(OsStr::new(name)))
        };
        let split = level.iter().find(is_split).cloned();
        let next: Vec<PathBuf> = level
            .iter()
            .zip(&listings)
            .flat_map(|(path, listing)| {
                let folders = listing.folders.iter().filter(|folder| !folder.is_link);
                folders.map(|folder| path.join(&folder.name))
            })
            .collect();
        let images = listings.into_iter().map(|listing| listing.images);
        parts.extend(level.into_iter().zip(images).filter(|(_, images)| !images.is_empty()));
        if let Some(split) = split.filter(|_| !next.is_empty() || !parts.is_empty()) {
            return Err(DataError::NestedSplit {
                path: root.into(),
                split: root.join(split),
            });
        }
        if next.is_empty() {
            break;
        }
        listings = list_all(root, &next)?;
        stamps.extend(next.iter().cloned().zip(listings.iter().map(|listing| listing.changed)));
        level = next;
    }
    if parts.is_empty() {
        return Err(DataError::NoImages { path: root.into() });
    }
    parts.sort_by(|(a, _), (b, _)| a.cmp(b));
    let index = FolderIndex::from_sorted(FolderLayout::Nested, parts)?;
    Ok(Scan { index, stamps })
}

/// Lists many folders in parallel; the error is that of the first in order.
fn list_all(root: &Path, folders: &[PathBuf]) -> Result<Vec<Listing>, DataError> {
    let listings: Vec<Result<Listing, DataError>> = folders.par_iter().map(|folder| list(&root.join(folder))).collect();
    listings.into_iter().collect()
}

/// Lists one folder: images and folders that are not hidden.
pub(crate) fn list(folder: &Path) -> Result<Listing, DataError> {
    let read_error = |source| DataError::Read {
        path: folder.into(),
        source,
    };
    // Before the listing: a change during it shows as a later time.
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

/// Nanoseconds from 1970 to the last change of a folder's entries, where the system tells.
pub(crate) fn changed(metadata: &fs::Metadata) -> Option<i64> {
    nanoseconds(metadata.modified().ok()?)
}

/// Nanoseconds from 1970 to `time`; `None` centuries away from it.
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
