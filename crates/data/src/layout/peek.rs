//! A short look into a folder: whether images lie in it, and which folders.
//!
//! This file must not decide what the folders are.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::DataError;
use crate::extensions::has_image_extension;
use crate::index::{RUN_CHECKPOINTS, RUN_FILES};
use crate::leftovers::is_leftover;
use crate::split_names::{is_beside_images, is_of_images};

/// Folders within each other that stand for one, such as `seg_train/seg_train/images`.
const MAX_NESTING: usize = 4;

/// What a short look finds.
#[derive(Debug, Default)]
pub(super) struct Peek {
    /// Name of the first image found.
    pub(super) image: Option<OsString>,
    /// Names of the folders, sorted, without leftovers; only some of them if there are images.
    pub(super) folders: Vec<OsString>,
}

/// What a folder of images holds, once folders that stand for it are passed.
#[derive(Debug)]
pub(super) enum Inside {
    /// Neither images nor folders.
    Nothing,
    /// Images, directly in this folder.
    Images,
    /// Folders of these names, which may be classes.
    Folders(Vec<OsString>),
}

/// Looks at the entries of a folder until `images` images were seen: a folder may hold a million.
pub(super) fn peek(folder: &Path, images: usize) -> Result<Peek, DataError> {
    let read_error = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => DataError::MissingFolder { path: folder.into() },
        std::io::ErrorKind::NotADirectory => DataError::NotAFolder { path: folder.into() },
        _ => DataError::Read {
            path: folder.into(),
            source,
        },
    };
    let (mut peek, mut seen) = (Peek::default(), 0);
    for entry in fs::read_dir(folder).map_err(read_error)? {
        let entry = entry.map_err(read_error)?;
        let name = entry.file_name();
        if is_leftover(&name) {
            continue;
        }
        let kind = entry.file_type();
        let is_folder = match kind {
            Ok(kind) if !kind.is_symlink() => kind.is_dir(),
            _ => fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir()),
        };
        if is_folder {
            peek.folders.push(name);
        } else if has_image_extension(Path::new(&name)) {
            seen += 1;
            peek.image.get_or_insert(name);
            if seen >= images {
                break;
            }
        }
    }
    peek.folders.sort();
    Ok(peek)
}

/// What a folder holds, with the folder in it that stands for it: `seg_train/seg_train`, `test/images`.
pub(super) fn inside(folder: &Path) -> Result<Inside, DataError> {
    let mut at: PathBuf = folder.into();
    for _ in 0..MAX_NESTING {
        let peek = peek(&at, 1)?;
        if peek.image.is_some() {
            return Ok(Inside::Images);
        }
        match standing_for(&at, &peek.folders) {
            Some(below) => at = below,
            None if peek.folders.is_empty() => return Ok(Inside::Nothing),
            None => return Ok(Inside::Folders(peek.folders)),
        }
    }
    Ok(Inside::Nothing)
}

/// The folder in `folder` that stands for it: one of the same name, or the only one of images.
pub(super) fn standing_for(folder: &Path, names: &[OsString]) -> Option<PathBuf> {
    let images: Vec<&OsString> = names.iter().filter(|name| is_of_images(name)).collect();
    if let [only] = images[..]
        && names.iter().all(|name| name == only || is_beside_images(name))
    {
        return Some(folder.join(only));
    }
    let [only] = names else { return None };
    let own = folder.file_name()?;
    own.eq_ignore_ascii_case(only).then(|| folder.join(only))
}

/// Whether a folder is a run of this program, or holds nothing but such runs: its pictures are not the user's images.
pub(super) fn holds_runs(folder: &Path) -> bool {
    let is_run = |folder: &Path| {
        let file = RUN_FILES.iter().any(|file| folder.join(file).is_file());
        file && folder.join(RUN_CHECKPOINTS).is_dir()
    };
    let only_runs = |peek: Peek| {
        let all = peek.folders.iter().all(|name| is_run(&folder.join(name)));
        peek.image.is_none() && !peek.folders.is_empty() && all
    };
    is_run(folder) || peek(folder, 1).is_ok_and(only_runs)
}
