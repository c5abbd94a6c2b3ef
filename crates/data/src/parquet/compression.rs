//! Decompression of Parquet's pages. What a page claims to unpack to is not believed: memory grows with what is unpacked.

use std::io::Read;

use super::source::{Fault, bad};

/// Largest page, unpacked, in bytes.
pub(super) const MAX_PAGE_BYTES: usize = 1 << 30;

/// A larger page must be packed at most [`MAX_RATIO`] times.
const LARGE_PAGE_BYTES: usize = 32 << 20;
const MAX_RATIO: usize = 256;

/// How pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Snappy,
    Gzip,
    Zstd,
}

impl Codec {
    pub(super) fn of(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::Snappy),
            2 => Some(Self::Gzip),
            6 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The name of a codec, also of one that is not read.
    pub(super) fn name(number: i64) -> &'static str {
        match number {
            3 => "LZO",
            4 => "Brotli",
            5 | 7 => "LZ4",
            _ => "an unknown method",
        }
    }

    /// Unpacks a page to exactly `size` bytes.
    pub(super) fn unpack(self, bytes: Vec<u8>, size: usize) -> Result<Vec<u8>, Fault> {
        if size > MAX_PAGE_BYTES {
            return bad("a page of it is larger than 1 GiB");
        }
        // A few bytes can stand for any number of zeros; images and their labels are not that.
        if size > LARGE_PAGE_BYTES && size / MAX_RATIO > bytes.len() {
            return bad("a page of it unpacks to far more than its size");
        }
        let unpacked = match self {
            Self::None => bytes,
            Self::Snappy => {
                // Its length stands first. Three bytes unpack to 64 at most.
                let length = snap::raw::decompress_len(&bytes).unwrap_or(usize::MAX);
                if length != size || length / 32 > bytes.len() {
                    return bad("a page of it is damaged (snappy)");
                }
                snap::raw::Decoder::new()
                    .decompress_vec(&bytes)
                    .or_else(|_| bad("a page of it is damaged (snappy)"))?
            }
            Self::Gzip => read(flate2::read::MultiGzDecoder::new(&bytes[..]), size, "gzip")?,
            Self::Zstd => match ruzstd::decoding::StreamingDecoder::new(&bytes[..]) {
                Ok(decoder) => read(decoder, size, "zstd")?,
                Err(_) => return bad("a page of it is damaged (zstd)"),
            },
        };
        if unpacked.len() != size {
            return bad("a page of it unpacks to another size than it says");
        }
        Ok(unpacked)
    }
}

fn read(decoder: impl Read, size: usize, name: &str) -> Result<Vec<u8>, Fault> {
    let mut unpacked = Vec::new();
    let read = decoder.take(size as u64 + 1).read_to_end(&mut unpacked);
    match read {
        Ok(_) => Ok(unpacked),
        Err(_) => bad(format!("a page of it is damaged ({name})")),
    }
}
