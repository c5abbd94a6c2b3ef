//! Reader of a JPEG's segments: markers, their bodies, and the coded data between them.
//!
//! Bytes are skipped where libjpeg skips them. This file must not know what a segment means.

use std::ops::Range;

use crate::DecodeError;
use crate::decode_error::damaged;

/// Position in the bytes of a JPEG.
pub(super) struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Coded data of one scan without stuffed bytes, in pieces that restart markers separate.
#[derive(Default)]
pub(super) struct Coded {
    pub(super) data: Vec<u8>,
    /// Range of each piece in `data`.
    pub(super) pieces: Vec<Range<usize>>,
    /// Number of the restart marker (0 to 7) before each piece but the first.
    pub(super) restarts: Vec<u8>,
}

impl<'a> Segments<'a> {
    /// # Errors
    /// [`DecodeError::Damaged`] without a start-of-image marker.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match bytes {
            [0xFF, 0xD8, ..] => Ok(Self { bytes, at: 2 }),
            _ => Err(damaged("no start-of-image marker")),
        }
    }

    /// The next marker; garbage and fill bytes before it are skipped.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if there is none.
    pub(super) fn next_marker(&mut self) -> Result<u8, DecodeError> {
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let first = memchr::memchr(0xFF, rest).ok_or(DecodeError::Truncated)?;
            let fill = rest[first..].iter().take_while(|&&byte| byte == 0xFF).count();
            let marker = *rest.get(first + fill).ok_or(DecodeError::Truncated)?;
            self.at += first + fill + 1;
            if marker != 0 {
                return Ok(marker);
            }
        }
    }

    /// The body of the segment whose marker was read last, without its length.
    ///
    /// # Errors
    /// [`DecodeError`] if the length is impossible or the bytes end before.
    pub(super) fn body(&mut self) -> Result<&'a [u8], DecodeError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let &[high, low, ..] = rest else {
            return Err(DecodeError::Truncated);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < 2 {
            return Err(damaged("a segment shorter than its own length field"));
        }
        let body = rest.get(2..length).ok_or(DecodeError::Truncated)?;
        self.at += length;
        Ok(body)
    }

    /// The coded data from here up to the next marker that is no restart marker, at which the position is afterwards.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if there is no such marker.
    pub(super) fn coded(&mut self, coded: &mut Coded) -> Result<(), DecodeError> {
        coded.data.clear();
        coded.pieces.clear();
        coded.restarts.clear();
        // In one piece, as the data of the first scan mostly are all that remains.
        if coded.data.capacity() == 0 {
            coded.data.reserve(self.bytes.len().saturating_sub(self.at));
        }
        let mut start = 0;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let first = memchr::memchr(0xFF, rest).ok_or(DecodeError::Truncated)?;
            let fill = rest[first..].iter().take_while(|&&byte| byte == 0xFF).count();
            let marker = *rest.get(first + fill).ok_or(DecodeError::Truncated)?;
            coded.data.extend_from_slice(&rest[..first]);
            match marker {
                0 => {
                    coded.data.push(0xFF);
                    self.at += first + fill + 1;
                }
                0xD0..=0xD7 => {
                    coded.pieces.push(start..coded.data.len());
                    coded.restarts.push(marker & 7);
                    start = coded.data.len();
                    self.at += first + fill + 1;
                }
                _ => {
                    coded.pieces.push(start..coded.data.len());
                    self.at += first;
                    return Ok(());
                }
            }
        }
    }
}
