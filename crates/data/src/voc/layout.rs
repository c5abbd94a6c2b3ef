//! Layout of a VOC set on disk: its root, its lists, its images.
//!
//! This file must not read an annotation.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use super::VocError;
use crate::DataError;
use crate::index::list;

/// Largest list that is read, in bytes: some ten million lines.
const MAX_LIST_BYTES: u64 = 256 << 20;

/// A folder with more entries than this is not searched for a VOC set: they are images or classes of another format.
const MAX_ENTRIES: usize = 100;

/// Whether a folder is the root of a VOC set.
fn is_voc(folder: &Path) -> bool {
    folder.join("JPEGImages").is_dir() && folder.join("Annotations").is_dir()
}

/// The root of the VOC set: `path` itself, or the only one among its folders and, as in `VOCdevkit/VOC2007`, the folders
/// of those whose name begins with VOC.
pub(crate) fn find_voc(path: &Path) -> Result<PathBuf, DataError> {
    if is_voc(path) {
        return Ok(path.into());
    }
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(DataError::NotAFolder { path: path.into() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(DataError::MissingFolder { path: path.into() });
        }
        // The listing below reports the error.
        Err(_) => {}
    }
    let mut found = Vec::new();
    for folder in folders(path)? {
        if is_voc(&folder) {
            found.push(folder);
        } else if folder.file_name().is_some_and(begins_with_voc) {
            found.extend(folders(&folder)?.into_iter().filter(|folder| is_voc(folder)));
        }
    }
    match &found[..] {
        [] => Err(VocError::NotVoc { path: path.into() }.into()),
        [one] => Ok(one.clone()),
        [first, second, ..] => Err(VocError::Several {
            path: path.into(),
            first: first.clone(),
            second: second.clone(),
        }
        .into()),
    }
}

fn begins_with_voc(name: &OsStr) -> bool {
    let start = name.as_encoded_bytes().get(..3);
    start.is_some_and(|start| start.eq_ignore_ascii_case(b"voc"))
}

/// The folders in a folder by name; none if it has too many entries to be searched.
fn folders(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let read_error = |source| DataError::Read {
        path: path.into(),
        source,
    };
    let mut folders = Vec::new();
    for (entry, number) in fs::read_dir(path).map_err(read_error)?.zip(1..) {
        if number > MAX_ENTRIES {
            return Ok(Vec::new());
        }
        let path = entry.map_err(read_error)?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// The file that lists a split.
pub(crate) fn list_file(root: &Path, split: &str) -> PathBuf {
    root.join("ImageSets").join("Main").join(format!("{split}.txt"))
}

/// The lines of a list that are not blank, with their numbers.
pub(crate) fn read_ids(file: &Path) -> Result<Vec<(usize, String)>, DataError> {
    let read_error = |source| DataError::Read {
        path: file.into(),
        source,
    };
    let size = match fs::metadata(file) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(VocError::MissingList { path: file.into() }.into());
        }
        Err(error) => return Err(read_error(error)),
    };
    if size > MAX_LIST_BYTES {
        let reason = format!("{size} bytes are over the limit of {MAX_LIST_BYTES}");
        return Err(read_error(std::io::Error::other(reason)));
    }
    let text = fs::read_to_string(file).map_err(read_error)?;
    let lines = text.strip_prefix('\u{FEFF}').unwrap_or(&text).lines().zip(1..);
    let ids: Vec<(usize, String)> = lines
        .map(|(line, number)| (number, line.trim().to_owned()))
        .filter(|(_, id)| !id.is_empty())
        .collect();
    if ids.is_empty() {
        return Err(VocError::EmptyList { path: file.into() }.into());
    }
    Ok(ids)
}

/// The image files by name and by name without extension; of `a.jpg` and `a.png` the first is used for `a`.
pub(crate) fn image_files(root: &Path) -> Result<HashMap<OsString, OsString>, DataError> {
    let mut files = HashMap::new();
    for name in list(&root.join("JPEGImages"))?.images.iter() {
        let stem = Path::new(name).file_stem().unwrap_or(name);
        files.entry(stem.to_owned()).or_insert_with(|| name.to_owned());
    }
    Ok(files)
}
