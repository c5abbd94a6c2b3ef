//! Reader of single image files: file to pixels. Every failure is an error that names the file.
//!
//! This file must not know sets.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use barlow_augment::{CropBox, DecodeError, Image8, ImageRegion, WantedBox, decode_region};

use crate::DataError;
use crate::error::panic_message;

/// Largest file that is read, in bytes: a larger one is a mistake, not a photograph.
pub(crate) const MAX_FILE_BYTES: u64 = 512 << 20;

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
pub(crate) fn read_image(path: &Path, channels: usize) -> Result<Arc<Image8>, DataError> {
    read_region(path, channels, &CropBox::whole).map(ImageRegion::into_pixels)
}

/// Reads a file and decodes the box that `wanted` chooses to `channels` channels.
pub(crate) fn read_region(path: &Path, channels: usize, wanted: WantedBox<'_>) -> Result<ImageRegion, DataError> {
    let read_error = |source: std::io::Error| match source.kind() {
        // About this file alone: a broken link, one that was removed, one of another user.
        ErrorKind::NotFound | ErrorKind::PermissionDenied => DataError::Unreadable {
            path: path.into(),
            source,
        },
        // A link that leads in a circle.
        _ if path.is_symlink() && fs::metadata(path).is_err() => DataError::Unreadable {
            path: path.into(),
            source,
        },
        _ => DataError::Read {
            path: path.into(),
            source,
        },
    };
    let metadata = fs::metadata(path).map_err(read_error)?;
    if !metadata.is_file() {
        // Reading a pipe or a device may never end.
        return Err(DataError::Unreadable {
            path: path.into(),
            source: std::io::Error::other("it is not a file"),
        });
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
    decode_bytes(path, &bytes, channels, wanted)
}

/// Decodes the box of an image that `wanted` chooses to `channels` channels; `path` names the image in the error.
pub(crate) fn decode_bytes(
    path: &Path,
    bytes: &[u8],
    channels: usize,
    wanted: WantedBox<'_>,
) -> Result<ImageRegion, DataError> {
    // A decoder that panics on a hostile file must not end a long run.
    let decode = AssertUnwindSafe(|| decode_region(bytes, channels, wanted));
    let decoded = std::panic::catch_unwind(decode).unwrap_or_else(|payload| {
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

/// Fills `buffer` from the position `offset` of a file. The file's own position is not used.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

/// Fills `buffer` from the position `offset` of a file. The file's own position changes, and nothing relies on it.
#[cfg(windows)]
pub(crate) fn read_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buffer = &mut std::mem::take(&mut buffer)[read..];
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
