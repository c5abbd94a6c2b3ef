//! Decoding errors, and the limits on the size of an image.

use std::fmt::Display;

/// Longest side of an image that is decoded, in pixels.
pub const MAX_SIDE: usize = 16_384;
/// Maximal size of a decoded image in bytes, both in the form of its file and as 8-bit RGB.
pub const MAX_DECODED_BYTES: u64 = 512 << 20;

/// Why bytes could not be decoded. The message is one line without the file name, which the caller knows.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There are no bytes.
    #[error("the file is empty")]
    Empty,
    /// The first bytes are no image's.
    #[error("not a known image format (by its first bytes, whatever its name)")]
    UnknownFormat,
    /// An image of a format that is not read.
    #[error("{0} is not read; convert it to JPEG, PNG or WebP")]
    Unreadable(&'static str),
    /// The image would be larger than the limits.
    #[error(
        "{width}x{height} pixels ({bytes} bytes decoded) is over the limit of {MAX_SIDE} pixels a side and \
         {MAX_DECODED_BYTES} bytes; scale it down first"
    )]
    TooLarge {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes of the decoded pixels.
        bytes: u64,
    },
    /// A truncated file: a decoder would fill the missing part with grey.
    #[error("the image data ends too early (a cut-off download?)")]
    Truncated,
    /// A rare kind of a format that is read.
    #[error("{0}; convert it to PNG")]
    UnsupportedKind(String),
    /// A kind of JPEG that is not read.
    #[error("a JPEG with {0}, which is not read; convert it to an ordinary JPEG or a PNG")]
    JpegKind(&'static str),
    /// Image files provide grey, RGB or RGBA only.
    #[error("an image file gives 1, 3 or 4 channels, not {channels}; set model.in_channels")]
    Channels {
        /// Requested number of channels.
        channels: usize,
    },
    /// The decoder refused the data.
    #[error("damaged image: {0}")]
    Damaged(String),
}

/// # Errors
/// [`DecodeError::TooLarge`] beyond the limits.
pub(crate) fn check_size(width: usize, height: usize, bytes: u64) -> Result<(), DecodeError> {
    if width.max(height) <= MAX_SIDE && bytes <= MAX_DECODED_BYTES {
        return Ok(());
    }
    Err(DecodeError::TooLarge {
        width: width as u32,
        height: height as u32,
        bytes,
    })
}

/// The decoder's reason, on one line.
pub(crate) fn damaged(error: impl Display) -> DecodeError {
    DecodeError::Damaged(one_line(error))
}

/// The text of an error, without line breaks.
pub(crate) fn one_line(error: impl Display) -> String {
    error.to_string().replace(['\n', '\r'], " ")
}
