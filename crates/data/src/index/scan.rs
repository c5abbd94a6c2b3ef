//! Scan of a folder on disk for the index of its images: which folders are classes, what is left out, and what is an error.
//!
//! Folders are listed in parallel on the current rayon pool. This file must not open an image, and knows no splits beyond
//! their names.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use rayon::prelude::*;

use super::listing::{Listing, list};
use super::{FolderIndex, FolderLayout};
use crate::path_names::{by_name, shown};
use crate::split_names::{is_beside_images, is_of_images, role_of};
use crate::{DataError, LeftOut, LeftOutReason};

/// How the folders below the scanned one are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FolderReading {
    /// As classes if images lie in them, or in a folder of images (`CLASS/images`); folders of folders have no labels.
    Detected,
    /// As classes, whatever lies in them, as torchvision's `ImageFolder` does: the folder is known to be a split.
    Split,
}

/// A folder below the root with its modification time before it was listed.
pub(crate) type Stamp = (PathBuf, Option<i64>);

/// An index with the stamps that show later whether it is up to date.
pub(crate) struct Scan {
    pub(crate) index: FolderIndex,
    /// Every folder that was listed.
    pub(crate) stamps: Vec<Stamp>,
    /// Files and folders that are not images, by their paths below the root.
    pub(crate) left_out: LeftOut,
}

/// A listed folder, below the root.
type Listed = (PathBuf, Listing);

/// What lies in a folder directly below the one whose folders may be classes, at any depth.
#[derive(Default)]
struct Top {
    /// Whether there are images at any depth.
    has_images: bool,
    /// Whether images lie directly in it.
    has_own: bool,
    /// Whether all its images lie directly in it or in a folder of images in it.
    is_shallow: bool,
    has_runs: bool,
    /// A folder without images that holds nothing else either is a class whose images are missing.
    other: LeftOut,
}

/// Lists the images of `root`, at any depth. Links to folders are followed directly below `root` only, so the descent ends.
pub(crate) fn scan(root: &Path, reading: FolderReading) -> Result<Scan, DataError> {
    let mut stamps = Vec::new();
    let mut left_out = LeftOut::default();
    let mut listed = descend(root, &mut stamps, &mut left_out)?;
    listed.sort_by(|(a, _), (b, _)| by_name(a, b));
    let (layout, prefix) = arrange(root, reading, &mut listed, &mut left_out)?;
    let mut parts = Vec::new();
    for (path, listing) in listed {
        left_out.merge_below(&path, listing.left_out);
        if !listing.images.is_empty() {
            parts.push((path, listing.images));
        }
    }
    let index = FolderIndex::from_sorted(layout, prefix, parts)?;
    Ok(Scan {
        index,
        stamps,
        left_out,
    })
}

/// Lists the root and every folder below it, but for those of runs.
fn descend(root: &Path, stamps: &mut Vec<Stamp>, left_out: &mut LeftOut) -> Result<Vec<Listed>, DataError> {
    let mut all = Vec::new();
    let mut level = list_all(root, vec![PathBuf::new()], stamps)?;
    for depth in 0.. {
        let mut next = Vec::new();
        for (path, listing) in level {
            if listing.is_run && depth > 0 {
                left_out.add(LeftOutReason::Run, shown(&path));
                // Its folder stays in the list, so that the one above it is known to hold a run and not to be an empty class.
                all.push((path, Listing::of_run(listing.changed)));
                continue;
            }
            for folder in &listing.folders {
                let below = path.join(&folder.name);
                if folder.is_link && (depth > 0 || leads_up(root, &below)) {
                    left_out.add(LeftOutReason::FolderLink, shown(&below));
                } else {
                    next.push(below);
                }
            }
            all.push((path, listing));
        }
        if next.is_empty() {
            break;
        }
        level = list_all(root, next, stamps)?;
    }
    Ok(all)
}

/// Whether the images have classes, and in which component of their folders' paths these are. Empties the listings of
/// folders whose images are not taken.
fn arrange(
    root: &Path,
    reading: FolderReading,
    listed: &mut Vec<Listed>,
    left_out: &mut LeftOut,
) -> Result<(FolderLayout, usize), DataError> {
    if listed.iter().all(|(_, listing)| listing.images.is_empty()) {
        return Err(no_images(root, listed));
    }
    let mut prefix = PathBuf::new();
    loop {
        let depth = prefix.components().count();
        let mut tops = tops(listed, &prefix);
        let own = listed
            .iter()
            .find(|(path, listing)| *path == prefix && !listing.images.is_empty());
        let with: Vec<OsString> = tops
            .iter()
            .filter(|(_, top)| top.has_images)
            .map(|(name, _)| name.clone())
            .collect();
        if let Some((_, listing)) = own {
            if let Some(folder) = with.first() {
                return Err(DataError::MixedFolder {
                    path: root.join(&prefix),
                    image: listing.images.get(0).to_string_lossy().into_owned(),
                    folder: folder.to_string_lossy().into_owned(),
                });
            }
            for (name, _) in tops.iter().filter(|(_, top)| !top.has_runs) {
                left_out.add(LeftOutReason::NoImages, shown(&prefix.join(name)));
            }
            return Ok((FolderLayout::Flat, depth));
        }
        // `images/` next to `masks/`: the masks are pictures, too, and no class.
        let of_images: Vec<&OsString> = with.iter().filter(|name| is_of_images(name)).collect();
        if let [images] = of_images[..]
            && with.iter().all(|name| name == images || is_beside_images(name))
        {
            for name in with.iter().filter(|name| *name != images) {
                let path = prefix.join(name);
                left_out.add(LeftOutReason::OtherFolder, shown(&path));
                listed.retain(|(folder, _)| !folder.starts_with(&path));
                tops.remove(name);
            }
            prefix.push(images);
            continue;
        }
        if let [only] = &with[..]
            && (root.join(&prefix).file_name()).is_some_and(|name| name.eq_ignore_ascii_case(only))
        {
            prefix.push(only);
            continue;
        }
        let are_classes = reading == FolderReading::Split
            || tops.values().any(|top| top.has_own)
            || tops.values().filter(|top| top.has_images).all(|top| top.is_shallow);
        if reading == FolderReading::Detected
            && let Some(split) = split_below(listed, &prefix)
        {
            return Err(DataError::NestedSplit {
                path: root.into(),
                split: root.join(split),
            });
        }
        if !are_classes {
            return Ok((FolderLayout::Nested, 0));
        }
        for (name, top) in tops.into_iter().filter(|(_, top)| !top.has_images) {
            let path = prefix.join(&name);
            let is_other = top
                .other
                .iter()
                .any(|(reason, _)| matches!(reason, LeftOutReason::OtherFile(_)));
            let is_lost = top
                .other
                .iter()
                .any(|(reason, _)| matches!(reason, LeftOutReason::OtherFormat(_)));
            if is_lost || !(is_other || top.has_runs || name == "runs") {
                let found = if is_lost {
                    format!(", but {}", top.other)
                } else {
                    String::new()
                };
                return Err(DataError::EmptyClass {
                    path: root.join(path),
                    found,
                });
            }
            if !top.has_runs {
                left_out.add(LeftOutReason::NoImages, shown(&path));
            }
        }
        return Ok((FolderLayout::Classes, depth));
    }
}

/// What lies in each folder directly in `prefix`.
fn tops(listed: &[Listed], prefix: &Path) -> BTreeMap<OsString, Top> {
    let mut tops: BTreeMap<OsString, Top> = BTreeMap::new();
    for (path, listing) in listed {
        let Ok(below) = path.strip_prefix(prefix) else { continue };
        let mut parts = below.components();
        let Some(Component::Normal(name)) = parts.next() else {
            continue;
        };
        let next = parts.next();
        let is_shallow = match next {
            None => true,
            Some(part) => is_of_images(part.as_os_str()) && parts.next().is_none(),
        };
        let has_images = !listing.images.is_empty();
        let top = tops.entry(name.to_owned()).or_insert_with(|| Top {
            is_shallow: true,
            ..Top::default()
        });
        top.has_own |= has_images && next.is_none();
        top.is_shallow &= is_shallow || !has_images;
        top.has_images |= has_images;
        top.has_runs |= listing.is_run;
        // Only counts matter, and only where there are no images: those of a class folder are merged once, later.
        if !top.has_images {
            top.other.merge_below(Path::new(""), listing.left_out.clone());
        }
    }
    tops
}

/// A folder called like a split below those in `prefix`, or one of these: a data set whose labels and test images would be
/// lost among the others.
fn split_below(listed: &[Listed], prefix: &Path) -> Option<PathBuf> {
    let holds = |folder: &Path| {
        let below = |(path, listing): &Listed| path.starts_with(folder) && !listing.images.is_empty();
        listed.iter().any(below)
    };
    let direct = |folder: &Path| {
        listed
            .iter()
            .any(|(path, listing)| path == folder && !listing.images.is_empty())
    };
    let mut found = listed.iter().map(|(path, _)| path).filter(|path| {
        let depth = path.strip_prefix(prefix).map_or(0, |below| below.components().count());
        let is_split = path.file_name().and_then(role_of).is_some_and(|role| role.is_plain());
        // A class may be called `train` or `test`: its images lie in it.
        is_split && depth > 0 && (depth > 1 || !direct(path)) && holds(path)
    });
    found.next().cloned()
}

fn no_images(root: &Path, listed: &[Listed]) -> DataError {
    let mut other = LeftOut::default();
    for (path, listing) in listed {
        other.merge_below(path, listing.left_out.clone());
    }
    let mut found = LeftOut::default();
    for (reason, count) in other.iter().filter(|(reason, _)| reason.is_worth_a_warning()) {
        found.merge_one(reason.clone(), count.clone());
    }
    DataError::NoImages {
        path: root.into(),
        found: if found.is_empty() {
            String::new()
        } else {
            format!("; it holds {found}")
        },
    }
}

/// Whether a link in `root` leads to `root` or to a folder that contains it.
fn leads_up(root: &Path, link: &Path) -> bool {
    let target = root.join(link).canonicalize();
    root.canonicalize()
        .is_ok_and(|root| target.is_ok_and(|target| root.starts_with(target)))
}

/// Lists many folders in parallel; the error is that of the first in order.
fn list_all(root: &Path, folders: Vec<PathBuf>, stamps: &mut Vec<Stamp>) -> Result<Vec<Listed>, DataError> {
    let at = |folder: &PathBuf| match folder.as_os_str().is_empty() {
        // Joined to nothing, a path would end with a separator.
        true => list(root),
        false => list(&root.join(folder)),
    };
    let listings: Vec<Result<Listing, DataError>> = folders.par_iter().map(at).collect();
    let listed = folders
        .into_iter()
        .zip(listings)
        .map(|(folder, listing)| Ok((folder, listing?)));
    let level = listed.collect::<Result<Vec<Listed>, DataError>>()?;
    stamps.extend(level.iter().map(|(folder, listing)| (folder.clone(), listing.changed)));
    Ok(level)
}
