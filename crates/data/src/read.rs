//! Reader of single image files: file to pixels. Every failure is an error that names the file.
//!
//! This file must not know sets.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use barlow_augment::{DecodeError, Image8, decode_channels};

use crate::DataError;
use crate::error::panic_message;

/// Largest file that is read, in bytes: a larger one is a mistake, not a photograph.
const MAX_FILE_BYTES: u64 = 512 << 20;

/// Size in bytes and modification time in ns of a file; zeros if they cannot be read.
pub(crate) fn file_stamp(path: &Path) -> [u64; 2] {
    let Ok(metadata) = fs::metadata(path) else {
        return [0, 0];
    };
    let time = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    // For the next five centuries the low 64 bits change whenever the full number does.
    [metadata.len(), time.map_or(0, |time| time.as_nanos() as u64)]
}

/// Reads a file and decodes it to `channels` channels.
pub(crate) fn read_image(path: &Path, channels: usize) -> Result<Image8, DataError> {
    let read_error = |source| DataError::Read {
        path: path.into(),
        source,
    };
    let metadata = fs::metadata(path).map_err(read_error)?;
    if !metadata.is_file() {
        // Reading a pipe or a device may never end.
        return Err(read_error(std::io::Error::other("it is not a file")));
    }
    let size = metadata.len();
    if size > MAX_FILE_BYTES {
        let reason = DecodeError::Damaged(format!("{size} bytes are over the limit of {MAX_FILE_BYTES}"));
        return Err(DataError::BadImage {
            path: path.into(),
            reason,
        });
    }
    let bytes = fs::read(path).map_err(read_error)?;
    // A decoder that panics on a hostile file must not end a long run.
    let decoded = std::panic::catch_unwind(|| decode_channels(&bytes, channels)).unwrap_or_else(|payload| {
        Err(DecodeError::Damaged(format!(
            "the decoder panicked: {}",
            panic_message(&*payload)
        )))
    });
    decoded.map_err(|reason| DataError::BadImage {
        path: path.into(),
        reason,
    })
}
