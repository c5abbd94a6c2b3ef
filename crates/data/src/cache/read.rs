//! Positioned reads of an image cache, from any number of threads at once. This file must not know what the bytes mean.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::path::Path;

use super::CacheFault;
use super::format::{CacheIndex, HEADER, short_fault, tail_offset};
use crate::DataError;
pub(crate) use crate::read::read_at as exact_at;

/// The index of a file, or what is wrong with the file.
pub(crate) type Index = Result<CacheIndex, CacheFault>;

/// The file and its index; `None` if there is none.
pub(crate) fn open(path: &Path) -> Result<Option<(File, Index)>, DataError> {
    let read_error = |error| read_error(path, error);
    match std::fs::metadata(path) {
        // Reading a pipe would never end, and a folder must not be replaced.
        Ok(metadata) if !metadata.is_file() => {
            return Err(read_error(Error::new(ErrorKind::InvalidInput, "it is not a file")));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Ok(_) => {}
        Err(error) => return Err(read_error(error)),
    }
    let file = File::open(path).map_err(read_error)?;
    let index = index(&file).map_err(read_error)?;
    Ok(Some((file, index)))
}

/// Reads everything but the pixels.
pub(crate) fn index(file: &File) -> Result<Index, Error> {
    let len = file.metadata()?.len();
    let mut header = [0; HEADER];
    if len < HEADER as u64 {
        let short = &mut header[..len as usize];
        exact_at(file, short, 0)?;
        return Ok(Err(short_fault(short)));
    }
    exact_at(file, &mut header, 0)?;
    let offset = match tail_offset(&header, len) {
        Ok(offset) => offset,
        Err(fault) => return Ok(Err(fault)),
    };
    // At most the size of the file: the header was checked against its length.
    let mut tail = vec![0; (len - offset) as usize];
    exact_at(file, &mut tail, offset)?;
    Ok(CacheIndex::from_parts(&header, &tail))
}

/// The error of a cache file that cannot be read.
pub(crate) fn read_error(path: &Path, source: std::io::Error) -> DataError {
    DataError::Read {
        path: path.into(),
        source,
    }
}
