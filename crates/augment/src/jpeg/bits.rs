//! Bit reader over coded data, and the decoding of one Huffman symbol.
//!
//! Beyond the end all bits are 0, as in libjpeg; [`Bits::check`] tells whether the end was passed.

use super::huffman::{HuffmanTable, LOOKAHEAD};
use crate::DecodeError;
use crate::decode_error::damaged;

/// Bits of one piece of coded data, most significant first.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    /// Bytes that are not in the buffer as a whole.
    rest: &'a [u8],
    /// Bytes that were read beyond the end.
    beyond: u32,
    /// The next `count` bits, aligned to the top.
    buffer: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self {
            rest: data,
            beyond: 0,
            buffer: 0,
            count: 0,
        }
    }

    /// At least 56 bits afterwards.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        let bytes = (63 - self.count) >> 3;
        match self.rest.split_first_chunk::<8>() {
            Some((next, _)) => {
                self.buffer |= u64::from_be_bytes(*next) >> self.count;
                self.rest = &self.rest[bytes as usize..];
            }
            None => {
                let (next, after, beyond) = at_the_end(self.rest, bytes);
                self.buffer |= next >> self.count;
                self.rest = after;
                self.beyond += beyond;
            }
        }
        self.count |= 56;
    }

    #[inline(always)]
    pub(super) fn peek(&self, bits: u32) -> u32 {
        debug_assert!((1..=32).contains(&bits));
        (self.buffer >> (64 - bits)) as u32
    }

    #[inline(always)]
    pub(super) fn skip(&mut self, bits: u32) {
        debug_assert!(bits <= self.count);
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// `bits` (0 to 16) bits as a number.
    #[inline(always)]
    pub(super) fn take(&mut self, bits: u32) -> u32 {
        let value = (self.buffer >> 1 >> (63 - bits)) as u32;
        self.skip(bits);
        value
    }

    /// One bit; refills.
    #[inline(always)]
    pub(super) fn bit(&mut self) -> bool {
        if self.count == 0 {
            self.refill();
        }
        self.take(1) == 1
    }

    /// A signed value of `bits` bits in JPEG's form (ITU T.81, F.2.2.1, EXTEND).
    #[inline(always)]
    pub(super) fn signed(&mut self, bits: u32) -> i32 {
        let value = self.take(bits) as i32;
        if bits > 0 && value < 1 << (bits - 1) {
            value - (1 << bits) + 1
        } else {
            value
        }
    }

    /// The next symbol. Needs 16 bits.
    ///
    /// # Errors
    /// [`DecodeError::Damaged`] if no code begins with the next 16 bits.
    #[inline(always)]
    pub(super) fn symbol(&mut self, table: &HuffmanTable) -> Result<u8, DecodeError> {
        let (symbol, length) = table.short(self.peek(LOOKAHEAD));
        if length != 0 {
            self.skip(length);
            return Ok(symbol);
        }
        match table.long(self.peek(16)) {
            Some((symbol, length)) => {
                self.skip(length);
                Ok(symbol)
            }
            None => {
                self.check()?;
                Err(damaged("an invalid code in the JPEG data"))
            }
        }
    }

    /// # Errors
    /// [`DecodeError::Truncated`] if more bits were read than there are.
    #[inline(always)]
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        if 8 * self.beyond > self.count {
            return Err(DecodeError::Truncated);
        }
        Ok(())
    }
}

/// The bytes of `rest`, which are less than 8; what is left of them behind the first `bytes`; and how many of these are missing.
/// Takes no reader, so that this stays in registers.
#[cold]
fn at_the_end(rest: &[u8], bytes: u32) -> (u64, &[u8], u32) {
    let mut next = [0; 8];
    next[..rest.len()].copy_from_slice(rest);
    let taken = rest.len().min(bytes as usize);
    (u64::from_be_bytes(next), &rest[taken..], bytes - taken as u32)
}
