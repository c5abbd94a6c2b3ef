//! Huffman tables of JPEG: built from a segment, read by lookup.
//!
//! This file must not read bits.

use crate::DecodeError;
use crate::decode_error::damaged;

/// Bits of a code that are looked up at once.
pub(super) const LOOKAHEAD: u32 = 9;
const ENTRIES: usize = 1 << LOOKAHEAD;

/// One Huffman table.
#[derive(Clone)]
pub(super) struct HuffmanTable {
    /// For each next [`LOOKAHEAD`] bits: length of the code (0 if longer) and symbol.
    short: [(u8, u8); ENTRIES],
    /// For AC tables, for each next [`LOOKAHEAD`] bits that hold a code and its value: value, run, number of bits.
    values: Box<[AcValue; ENTRIES]>,
    symbols: [u8; 256],
    /// For each length: one more than its largest code, aligned to 16 bits; and the index of its first symbol minus its
    /// first code.
    long: [(u32, i32); 17],
}

/// A coefficient that is coded in a few bits.
#[derive(Clone, Copy, Default)]
pub(super) struct AcValue {
    pub(super) value: i16,
    /// Zeros before it.
    pub(super) run: u8,
    /// Bits of code and value; 0 if they are not known from these bits.
    pub(super) bits: u8,
}

impl HuffmanTable {
    /// A table from the number of codes of each length (1 to 16) and the symbols in the order of their codes.
    ///
    /// # Errors
    /// [`DecodeError::Damaged`] for a set of codes that does not exist, or DC symbols over 15.
    pub(super) fn new(counts: &[u8; 16], listed: &[u8], is_dc: bool) -> Result<Self, DecodeError> {
        let bad = || damaged("an impossible Huffman table");
        if counts.iter().map(|&count| usize::from(count)).sum::<usize>() != listed.len() || listed.len() > 256 {
            return Err(bad());
        }
        if is_dc && listed.iter().any(|&symbol| symbol > 15) {
            return Err(bad());
        }
        let mut symbols = [0; 256];
        symbols[..listed.len()].copy_from_slice(listed);
        let mut table = Self {
            short: [(0, 0); ENTRIES],
            values: Box::new([AcValue::default(); ENTRIES]),
            symbols,
            long: [(0, 0); 17],
        };
        let (mut code, mut index) = (0_u32, 0_usize);
        for (length, &count) in (1_u32..).zip(counts) {
            let count = u32::from(count);
            if code + count > 1 << length {
                return Err(bad());
            }
            table.long[length as usize] = ((code + count) << (16 - length), index as i32 - code as i32);
            for _ in 0..count {
                if let Some(spare) = LOOKAHEAD.checked_sub(length) {
                    let first = (code << spare) as usize;
                    table.short[first..first + (1 << spare)].fill((length as u8, symbols[index]));
                }
                code += 1;
                index += 1;
            }
            code <<= 1;
        }
        if !is_dc {
            table.fill_values();
        }
        Ok(table)
    }

    fn fill_values(&mut self) {
        for (bits, (&(length, symbol), entry)) in (0_u32..).zip(self.short.iter().zip(self.values.iter_mut())) {
            let (run, size) = (symbol >> 4, u32::from(symbol & 15));
            let total = u32::from(length) + size;
            if length == 0 || size == 0 || total > LOOKAHEAD {
                continue;
            }
            let raw = (bits >> (LOOKAHEAD - total) & ((1 << size) - 1)) as i32;
            let value = if raw < 1 << (size - 1) {
                raw - (1 << size) + 1
            } else {
                raw
            };
            *entry = AcValue {
                value: value as i16,
                run,
                bits: total as u8,
            };
        }
    }

    /// Symbol and length of the code that the next [`LOOKAHEAD`] bits begin with; length 0 if it is longer.
    #[inline(always)]
    pub(super) fn short(&self, bits: u32) -> (u8, u32) {
        let (length, symbol) = self.short[bits as usize & (ENTRIES - 1)];
        (symbol, u32::from(length))
    }

    /// Coefficient that the next [`LOOKAHEAD`] bits begin with.
    #[inline(always)]
    pub(super) fn value(&self, bits: u32) -> AcValue {
        self.values[bits as usize & (ENTRIES - 1)]
    }

    /// Symbol and length of the code that the next 16 bits begin with.
    pub(super) fn long(&self, bits: u32) -> Option<(u8, u32)> {
        let length = (1..=16).find(|&length| bits < self.long[length].0)?;
        let index = (bits >> (16 - length)) as i32 + self.long[length].1;
        Some((self.symbols[index as usize & 255], length as u32))
    }
}
