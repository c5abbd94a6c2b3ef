//! The indexes of some tars: from the cache where a tar has not changed, and read otherwise.
//!
//! This file must not interpret what the tars hold.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rayon::prelude::*;

use super::scan::index_file;
use super::stored::to_bytes;
use super::{TarIndex, TarStamp, parse_tar_indexes};
use crate::index::{SETTLED, store_bytes};
use crate::read::{file_stamp, read_at};
use crate::{DataError, IndexCache, IndexNote, ShardError};

/// Size and time of a tar, and its index.
pub(super) type Indexed = ([u64; 2], TarIndex);

/// What the cache holds, by path, or why it is not used.
type Known = (HashMap<String, Indexed>, Option<String>);

/// The index of each tar.
pub(super) fn indexed(
    paths: &[PathBuf],
    cache: Option<&IndexCache>,
) -> Result<(Vec<Indexed>, Option<IndexNote>), DataError> {
    let real: Vec<PathBuf> = paths
        .iter()
        .map(|path| path.canonicalize().unwrap_or_else(|_| path.clone()))
        .collect();
    let file = cache.map(|cache| cache_file(cache, &real));
    let (mut known, mut replaced) = file.as_deref().map(load).unwrap_or_default();
    let had_some = !known.is_empty();
    let work: Vec<Option<Indexed>> = real
        .iter()
        .map(|path| known.remove(path.to_string_lossy().as_ref()))
        .collect();
    // What is not asked for.
    drop(known);
    let one = |(path, known): (&PathBuf, Option<Indexed>)| -> Result<(bool, Indexed), DataError> {
        let stamp = file_stamp(path);
        match known {
            Some((old, index)) if old == stamp && stamp != [0, 0] => Ok((true, (stamp, index))),
            _ => read_tar(path).map(|index| (false, (stamp, index))),
        }
    };
    // All are read before the first error is returned, so that it is always the same one.
    let read: Vec<_> = paths.par_iter().zip(work).map(one).collect();
    let read = read.into_iter().collect::<Result<Vec<_>, DataError>>()?;
    let all_known = had_some && read.iter().all(|(is_known, _)| *is_known);
    let indexes: Vec<Indexed> = read.into_iter().map(|(_, index)| index).collect();
    let (Some(cache), Some(file)) = (cache, file) else {
        return Ok((indexes, None));
    };
    let images: usize = indexes.iter().map(|(_, index)| index.len()).sum();
    let note = if all_known {
        IndexNote::Used { file }
    } else if images < cache.min_images {
        IndexNote::Small
    } else if !indexes.iter().all(|(stamp, _)| is_settled(*stamp)) {
        IndexNote::Unsettled
    } else {
        if had_some {
            replaced.get_or_insert_with(|| "out of date".to_owned());
        }
        match store(&real, &indexes, &file) {
            Ok(()) => IndexNote::Stored { file, replaced },
            Err(reason) => IndexNote::NotStored { reason },
        }
    };
    Ok((indexes, Some(note)))
}

/// The file of the indexes of some tars, whether or not it exists.
fn cache_file(cache: &IndexCache, real: &[PathBuf]) -> PathBuf {
    let mut hasher = blake3::Hasher::new();
    for path in real {
        hasher.update(path.to_string_lossy().as_bytes()).update(&[0]);
    }
    cache.folder.join(format!("{}.tars", &hasher.finalize().to_hex()[..32]))
}

fn load(file: &Path) -> Known {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Known::default(),
        Err(error) => return (HashMap::new(), Some(format!("not readable ({error})"))),
    };
    match parse_tar_indexes(&bytes) {
        Ok(stored) => {
            let by_path = stored.0.into_iter().map(|(tar, index)| (tar.path, (tar.stamp, index)));
            (by_path.collect(), None)
        }
        Err(error) => (HashMap::new(), Some(error.to_string())),
    }
}

/// Whether a tar was changed so long ago that another change would show in its time.
fn is_settled([_, time]: [u64; 2]) -> bool {
    let limit = SystemTime::now().checked_sub(SETTLED);
    let limit = limit.and_then(|limit| limit.duration_since(UNIX_EPOCH).ok());
    limit.is_some_and(|limit| u128::from(time) < limit.as_nanos())
}

fn store(real: &[PathBuf], indexes: &[Indexed], file: &Path) -> Result<(), String> {
    let stamp = |(path, (stamp, _)): (&PathBuf, &Indexed)| TarStamp {
        path: path.to_string_lossy().into_owned(),
        stamp: *stamp,
    };
    let stamps: Vec<TarStamp> = real.iter().zip(indexes).map(stamp).collect();
    let bytes = to_bytes(stamps.iter().zip(indexes).map(|(stamp, (_, index))| (stamp, index)));
    store_bytes(&bytes, file)
}

fn read_tar(path: &Path) -> Result<TarIndex, DataError> {
    let read_error = |source| DataError::Read {
        path: path.into(),
        source,
    };
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ShardError::MissingShard { path: path.into() }.into(),
        _ => read_error(error),
    })?;
    if !metadata.is_file() {
        // Reading a pipe or a device may never end.
        return Err(read_error(std::io::Error::other("it is not a file")));
    }
    let file = File::open(path).map_err(read_error)?;
    let len = metadata.len();
    let mut start = [0; 6];
    let start_len = start.len().min(len as usize);
    read_at(&file, &mut start[..start_len], 0).map_err(read_error)?;
    // By content: a compressed tar is often called .tar all the same.
    let packed = [
        (&b"\x1F\x8B"[..], "gunzip", ".gz"),
        (b"BZh", "bunzip2", ".bz2"),
        (b"\xFD7zXZ", "unxz", ".xz"),
        (b"\x28\xB5\x2F\xFD", "unzstd --rm", ".zst"),
        (b"\x04\x22\x4D\x18", "unlz4 --rm", ".lz4"),
    ];
    if let Some((_, how, extension)) = packed.iter().find(|(magic, ..)| start.starts_with(magic)) {
        let name = path.display().to_string();
        let is_named = name.to_lowercase().ends_with(extension) || name.to_lowercase().ends_with(".tgz");
        let how = match is_named {
            true => format!("{how} {name}"),
            false => format!("mv {name} {name}{extension} && {how} {name}{extension}"),
        };
        return Err(ShardError::Compressed { path: path.into(), how }.into());
    }
    index_file(&file, len).map_err(read_error)
}
