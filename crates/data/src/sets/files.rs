//! File access with a size limit, for the files of a set. This file must not know any format.

use std::fs::{self, File};
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

use super::SetError;
use crate::DataError;

/// Opens a file of at most `limit` bytes. Pipes and devices are refused: reading them may never end.
pub(crate) fn open_file(path: &Path, limit: u64) -> Result<File, DataError> {
    let metadata = fs::metadata(path).map_err(|source| read_error(path, source))?;
    if !metadata.is_file() {
        return Err(read_error(
            path,
            Error::new(ErrorKind::InvalidInput, "it is not a file"),
        ));
    }
    if metadata.len() > limit {
        return Err(DataError::Set(SetError::TooLarge {
            path: path.into(),
            bytes: metadata.len(),
            limit,
        }));
    }
    File::open(path).map_err(|source| read_error(path, source))
}

/// Reads the whole file, if it is a file of at most `limit` bytes.
pub(crate) fn read_whole(path: &Path, limit: u64) -> Result<Vec<u8>, DataError> {
    let file = open_file(path, limit)?;
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    let mut content = Vec::with_capacity(bytes.min(limit) as usize);
    // It may grow while it is read, so the limit holds here too.
    file.take(limit)
        .read_to_end(&mut content)
        .map_err(|source| read_error(path, source))?;
    Ok(content)
}

pub(crate) fn read_error(path: &Path, source: Error) -> DataError {
    DataError::Read {
        path: path.into(),
        source,
    }
}
