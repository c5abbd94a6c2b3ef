//! Which shards a folder holds, and of which split each is: by the names of the folders and of the file.
//!
//! This file must not open a shard.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::pattern::{expand_pattern, is_pattern};
use super::{LeftOuts, ShardError};
use crate::DataError;
use crate::extensions::has_image_extension;

/// A kind of shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShardKind {
    /// Tar files.
    Tar,
    /// Parquet files.
    Parquet,
}

impl ShardKind {
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Tar => "tar",
            Self::Parquet => "parquet",
        }
    }

    /// Whether a path has the name of such a shard. Compressed tars count, so that they are refused by name.
    pub(crate) fn is_named(self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if name.starts_with('.') {
            return false;
        }
        match self {
            Self::Parquet => name.ends_with(".parquet"),
            Self::Tar => name.ends_with(".tar") || unpacking(&name).is_some(),
        }
    }

    /// Whether a path that need not exist is a shard or a pattern of shards.
    pub(crate) fn is_pattern(self, path: &Path) -> bool {
        path.to_str()
            .is_some_and(|text| is_pattern(text) && text.to_lowercase().ends_with(&format!(".{}", self.extension())))
    }
}

/// How a compressed tar is unpacked, by its name in lower case.
pub(crate) fn unpacking(name: &str) -> Option<&'static str> {
    const HOW: [(&str, &str); 8] = [
        (".tar.gz", "gunzip"),
        (".tgz", "gunzip"),
        (".tar.bz2", "bunzip2"),
        (".tbz2", "bunzip2"),
        (".tar.xz", "unxz"),
        (".txz", "unxz"),
        (".tar.zst", "unzstd --rm"),
        (".tar.lz4", "unlz4 --rm"),
    ];
    HOW.iter().find(|(end, _)| name.ends_with(end)).map(|(_, how)| *how)
}

/// The shards of a set by their splits, each list sorted by path.
#[derive(Debug, Default)]
pub(crate) struct ShardSplits {
    /// To train on, never empty.
    pub(crate) train: Vec<PathBuf>,
    /// Held-out splits by name, `test` first.
    pub(crate) held_out: Vec<(&'static str, Vec<PathBuf>)>,
    /// Shards of no split, next to others that have one.
    pub(crate) left_out: LeftOuts,
}

/// Deepest folder that is searched, such as `CONFIG/data/train`.
const MAX_DEPTH: usize = 3;

/// Entries of a folder that are looked at to recognise a format.
const LOOKED_AT: usize = 1_000;

/// Folders that are looked into to recognise a format.
const MAX_FOLDERS: usize = 20;

/// Shards and folders that are listed at most.
const MAX_SHARDS: usize = 1_000_000;

/// Whether the folder is a set of such shards, by the first names in it and in its folders. Shards next to more images are
/// archives that were unpacked there, and the images are the set; a picture next to shards belongs to their description.
pub(crate) fn looks_like_shards(root: &Path, kind: ShardKind) -> bool {
    let mut counts = Counts::default();
    counts.add(root, kind, MAX_DEPTH);
    counts.shards > counts.images
}

/// Files that were seen.
#[derive(Default)]
struct Counts {
    shards: usize,
    images: usize,
}

impl Counts {
    fn add(&mut self, folder: &Path, kind: ShardKind, depth: usize) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        let mut folders = Vec::new();
        for entry in entries.flatten().take(LOOKED_AT) {
            let path = entry.path();
            if is_hidden(&path) {
                continue;
            }
            if kind.is_named(&path) {
                self.shards += 1;
            } else if has_image_extension(&path) {
                self.images += 1;
            } else if folders.len() < MAX_FOLDERS && path.extension().is_none() && path.is_dir() {
                folders.push(path);
            }
        }
        for folder in folders {
            // A folder of images is known as such by its first ones.
            if depth == 0 || self.images >= LOOKED_AT {
                return;
            }
            self.add(&folder, kind, depth - 1);
        }
    }
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name.starts_with('@') || name == "__MACOSX"
}

/// The shards that `root` names: itself, those of a pattern, or those in the folder and in folders below it. A shard is of
/// the split that a part of its path names (`train/`, `train-000.tar`, `imagenet1k-validation-00.tar`); without any such
/// names all shards are training shards.
pub(crate) fn find_shards(root: &Path, kind: ShardKind) -> Result<ShardSplits, DataError> {
    if !root.exists()
        && let Some(text) = root.to_str()
        && is_pattern(text)
    {
        let train: Vec<PathBuf> = expand_pattern(text)?.into_iter().map(PathBuf::from).collect();
        if let Some(missing) = train.iter().find(|path| !path.is_file()) {
            return Err(ShardError::MissingShard { path: missing.clone() }.into());
        }
        return Ok(ShardSplits {
            train,
            ..ShardSplits::default()
        });
    }
    if root.is_file() {
        return Ok(ShardSplits {
            train: vec![root.into()],
            ..ShardSplits::default()
        });
    }
    let mut files = Vec::new();
    collect(root, kind, MAX_DEPTH, &mut files)?;
    files.sort();
    by_split(root, kind, files)
}

fn collect(folder: &Path, kind: ShardKind, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), DataError> {
    let read_error = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => DataError::MissingFolder { path: folder.into() },
        _ => DataError::Read {
            path: folder.into(),
            source,
        },
    };
    for entry in fs::read_dir(folder).map_err(read_error)? {
        let path = entry.map_err(read_error)?.path();
        if is_hidden(&path) {
            continue;
        }
        if kind.is_named(&path) && path.is_file() {
            if files.len() >= MAX_SHARDS {
                let reason = format!("it holds more than {MAX_SHARDS} shards");
                return Err(read_error(std::io::Error::other(reason)));
            }
            files.push(path);
        } else if depth > 0 && path.is_dir() {
            collect(&path, kind, depth - 1, files)?;
        }
    }
    Ok(())
}

fn by_split(root: &Path, kind: ShardKind, files: Vec<PathBuf>) -> Result<ShardSplits, DataError> {
    let mut splits: BTreeMap<Option<&'static str>, Vec<PathBuf>> = BTreeMap::new();
    let mut sets: Vec<PathBuf> = Vec::new();
    for file in files {
        let below = file.strip_prefix(root).unwrap_or(&file);
        let split = below.iter().find_map(|part| split_of(&part.to_string_lossy()));
        // What is neither a split nor `data` is the name of one of several sets, as of Hugging Face's configurations.
        let parts = below.parent().into_iter().flat_map(Path::iter);
        let set: PathBuf = parts
            .filter(|part| *part != "data" && split_of(&part.to_string_lossy()).is_none())
            .collect();
        if !sets.contains(&set) {
            sets.push(set);
        }
        if let [first, second] = &sets[..] {
            return Err(ShardError::SeveralSets {
                path: root.into(),
                first: root.join(first),
                second: root.join(second),
            }
            .into());
        }
        splits.entry(split).or_default().push(file);
    }
    let mut take = |split| splits.remove(&split).unwrap_or_default();
    let (mut train, without) = (take(Some("train")), take(None));
    let mut left_out = LeftOuts::default();
    let held_out: Vec<_> = ["test", "validation"]
        .map(|split| (split, take(Some(split))))
        .into_iter()
        .filter(|(_, files)| !files.is_empty())
        .collect();
    if train.is_empty() {
        train = without;
    } else if let Some(first) = without.first() {
        left_out.add("shards whose names are of no split", without.len(), || {
            first.display().to_string()
        });
    }
    match (&train[..], &held_out[..]) {
        ([], []) => Err(ShardError::NoShards {
            path: root.into(),
            kind: kind.extension(),
        }
        .into()),
        ([], [(split, _), ..]) => Err(ShardError::NoTrainShards {
            path: root.into(),
            split,
        }
        .into()),
        _ => Ok(ShardSplits {
            train,
            held_out,
            left_out,
        }),
    }
}

/// The split that a folder or a file is named after, if any: one of its words, whatever number follows.
fn split_of(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    name.split(|letter: char| !letter.is_alphanumeric()).find_map(|word| {
        match word.trim_end_matches(|letter: char| letter.is_ascii_digit()) {
            "train" | "training" => Some("train"),
            "val" | "valid" | "validation" | "dev" => Some("validation"),
            "test" | "testing" => Some("test"),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_words_of_names() {
        for (name, expected) in [
            ("train-000001.tar", Some("train")),
            ("imagenet1k-validation-00.tar", Some("validation")),
            ("Train2017", Some("train")),
            ("test_0001.tar", Some("test")),
            ("data", None),
            ("trainer-0.tar", None),
            ("000.tar", None),
        ] {
            assert_eq!(split_of(name), expected, "{name}");
        }
    }
}
