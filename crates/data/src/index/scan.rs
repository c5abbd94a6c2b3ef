//! Scan of a folder on disk for the index of its images: which folders are classes, and what is an error.
//!
//! Folders are listed in parallel on the current rayon pool. This file must not open an image, and knows no splits beyond
//! their names.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::listing::{Listing, list};
use super::names::Names;
use super::{FolderIndex, FolderLayout};
use crate::DataError;
use crate::split_names::SPLIT_NAMES;

/// A folder below the root with its modification time before it was listed.
pub(crate) type Stamp = (PathBuf, Option<i64>);

/// An index with the stamps that show later whether it is up to date.
pub(crate) struct Scan {
    pub(crate) index: FolderIndex,
    /// Every folder that was listed.
    pub(crate) stamps: Vec<Stamp>,
}

/// Folders of one depth, below the root.
type Level = Vec<(PathBuf, Listing)>;

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
    let names = top.folders.iter().map(|folder| PathBuf::from(&folder.name));
    let mut level = list_all(root, names.collect(), &mut stamps)?;
    if level.iter().all(|(_, listing)| listing.images.is_empty()) {
        let up = |path: &Path| leads_up(root, path);
        let mut links = top.folders.iter().map(|folder| folder.is_link);
        level.retain(|(path, _)| !(links.next() == Some(true) && up(path)));
        return nested(root, level, stamps);
    }
    if let Some((class, listing)) = level.iter().find(|(_, listing)| listing.images.is_empty()) {
        let path = root.join(class);
        return Err(match listing.folders.first() {
            Some(folder) => DataError::NestedClass {
                path,
                folder: folder.name.to_string_lossy().into_owned(),
            },
            None => DataError::EmptyClass { path },
        });
    }
    let parts = level.into_iter().map(|(class, listing)| (class, listing.images));
    let index = FolderIndex::from_sorted(FolderLayout::Classes, parts.collect())?;
    Ok(Scan { index, stamps })
}

/// Descends from folders that hold no images. Links are not followed further down, so the descent ends.
fn nested(root: &Path, mut level: Level, mut stamps: Vec<Stamp>) -> Result<Scan, DataError> {
    let mut parts: Vec<(PathBuf, Names)> = Vec::new();
    loop {
        // A data set further down: its labels and its test images must not be lost among the others.
        let is_split = |path: &Path| {
            SPLIT_NAMES
                .iter()
                .any(|name| path.file_name() == Some(OsStr::new(name)))
        };
        let split = level.iter().map(|(path, _)| path).find(|path| is_split(path)).cloned();
        let next: Vec<PathBuf> = level.iter().flat_map(|(path, listing)| below(path, listing)).collect();
        let images = level.into_iter().map(|(path, listing)| (path, listing.images));
        parts.extend(images.filter(|(_, images)| !images.is_empty()));
        if let Some(split) = split.filter(|_| !next.is_empty() || !parts.is_empty()) {
            return Err(DataError::NestedSplit {
                path: root.into(),
                split: root.join(split),
            });
        }
        if next.is_empty() {
            break;
        }
        level = list_all(root, next, &mut stamps)?;
    }
    if parts.is_empty() {
        return Err(DataError::NoImages { path: root.into() });
    }
    parts.sort_by(|(a, _), (b, _)| a.cmp(b));
    let index = FolderIndex::from_sorted(FolderLayout::Nested, parts)?;
    Ok(Scan { index, stamps })
}

/// The folders in a folder that are not links.
fn below(path: &Path, listing: &Listing) -> impl Iterator<Item = PathBuf> {
    let folders = listing.folders.iter().filter(|folder| !folder.is_link);
    folders.map(|folder| path.join(&folder.name))
}

/// Whether a link in `root` leads to `root` or to a folder that contains it.
fn leads_up(root: &Path, link: &Path) -> bool {
    let target = root.join(link).canonicalize();
    root.canonicalize()
        .is_ok_and(|root| target.is_ok_and(|target| root.starts_with(target)))
}

/// Lists many folders in parallel; the error is that of the first in order.
fn list_all(root: &Path, folders: Vec<PathBuf>, stamps: &mut Vec<Stamp>) -> Result<Level, DataError> {
    let listings: Vec<Result<Listing, DataError>> = folders.par_iter().map(|folder| list(&root.join(folder))).collect();
    let listed = folders
        .into_iter()
        .zip(listings)
        .map(|(folder, listing)| Ok((folder, listing?)));
    let level = listed.collect::<Result<Level, DataError>>()?;
    stamps.extend(level.iter().map(|(folder, listing)| (folder.clone(), listing.changed)));
    Ok(level)
}
