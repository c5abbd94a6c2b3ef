//! Huffman tables of JPEG: built from a segment, read by lookup.
//!
//! This file must not read bits.

use crate::DecodeError;
use crate::decode_error::damaged;

/// Bits that are looked up at once.
pub(super) const LOOKAHEAD: u32 = 10;
const ENTRIES: usize = 1 << LOOKAHEAD;

/// One Huffman table.
pub(super) struct HuffmanTable {
    /// For each next [`LOOKAHEAD`] bits: length of the code (0 if longer) and symbol.
    short: [(u8, u8); ENTRIES],
    /// For each next [`LOOKAHEAD`] bits: the coefficients that are known from them.
    quick: [Quick; ENTRIES],
    symbols: [u8; 256],
    /// For each length: one more than its largest code, aligned to 16 bits; and the index of its first symbol minus its
    /// first code.
    long: [(u32, i32); 17],
}

/// What one lookup decodes: up to two coefficients, or one and the end of the block.
#[derive(Clone, Copy)]
#[repr(align(8))]
pub(super) struct Quick {
    /// The coefficients; 0 where there is none. The first of a DC table is the difference.
    pub(super) values: [i16; 2],
    /// Their places, counted from the next one.
    pub(super) places: [u8; 2],
    /// Places that are decoded. Beyond the lowest 7 bits: the block ends.
    pub(super) step: u8,
    /// Bits of all that.
    pub(super) bits: u8,
}

impl Quick {
    /// More places than a block has: nothing is known.
    const UNKNOWN: u8 = 0x7F;
    const END: u8 = 0x80;

    const fn unknown() -> Self {
        Self {
            values: [0; 2],
            places: [0; 2],
            step: Self::UNKNOWN,
            bits: 0,
        }
    }

    /// Places that must be left in the block: else the end of this belongs to the next block.
    #[inline(always)]
    pub(super) fn places_needed(self) -> usize {
        usize::from(self.step & 0x7F)
    }

    #[inline(always)]
    pub(super) fn is_known(self) -> bool {
        self.step != Self::UNKNOWN
    }

    /// A code of `length` bits for `symbol`, which `bits` ([`LOOKAHEAD`] of them) begin with.
    fn one(bits: u32, length: u8, symbol: u8, is_dc: bool) -> Self {
        let (run, size) = if is_dc { (0, symbol) } else { (symbol >> 4, symbol & 15) };
        let total = length + size;
        if length == 0 || u32::from(total) > LOOKAHEAD {
            return Self::unknown();
        }
        let step = match (size, run) {
            (0, 15) if !is_dc => 16,
            (0, _) if !is_dc => 1 | Self::END,
            _ => run + 1,
        };
        let raw = (bits >> (LOOKAHEAD - u32::from(total)) & ((1 << size) - 1)) as i32;
        let value = if size > 0 && raw < 1 << (size - 1) {
            raw - (1 << size) + 1
        } else {
            raw
        };
        Self {
            values: [value as i16, 0],
            places: if size > 0 { [run, step & 0x7F] } else { [0; 2] },
            step,
            bits: total,
        }
    }

    /// This and what follows it.
    fn with(self, next: Self) -> Self {
        // Nothing follows the end of a block here, and a run of 16 zeros, which is rare, stays alone.
        if next.bits == 0
            || u32::from(self.bits + next.bits) > LOOKAHEAD
            || self.step & Self::END != 0
            || self.values[0] == 0
        {
            return self;
        }
        Self {
            values: [self.values[0], next.values[0]],
            places: [self.places[0], self.step + next.places[0]],
            step: (self.step + (next.step & 0x7F)) | next.step & Self::END,
            bits: self.bits + next.bits,
        }
    }
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
            quick: [Quick::unknown(); ENTRIES],
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
        table.fill_quick(is_dc);
        Ok(table)
    }

    fn fill_quick(&mut self, is_dc: bool) {
        for (bits, (&(length, symbol), quick)) in (0_u32..).zip(self.short.iter().zip(&mut self.quick)) {
            *quick = Quick::one(bits, length, symbol, is_dc);
        }
        if is_dc {
            return;
        }
        // What follows is looked up by the bits behind, with zeros in place of those that are not known: where it is known from
        // the others, it has no more bits than these.
        let single = self.quick;
        for (bits, quick) in self.quick.iter_mut().enumerate() {
            let next = single[(bits << quick.bits) & (ENTRIES - 1)];
            *quick = quick.with(next);
        }
    }

    /// Symbol and length of the code that the next [`LOOKAHEAD`] bits begin with; length 0 if it is longer.
    #[inline(always)]
    pub(super) fn short(&self, bits: u32) -> (u8, u32) {
        let (length, symbol) = self.short[bits as usize & (ENTRIES - 1)];
        (symbol, u32::from(length))
    }

    /// What the next [`LOOKAHEAD`] bits are known to hold.
    #[inline(always)]
    pub(super) fn quick(&self, bits: u32) -> Quick {
        self.quick[bits as usize & (ENTRIES - 1)]
    }

    /// Symbol and length of the code that the next 16 bits begin with.
    pub(super) fn long(&self, bits: u32) -> Option<(u8, u32)> {
        let length = (1..=16).find(|&length| bits < self.long[length].0)?;
        let index = (bits >> (16 - length)) as i32 + self.long[length].1;
        Some((self.symbols[index as usize & 255], length as u32))
    }
}
