//! Huffman decoding of one block: sequential, and the four kinds of progressive passes (ITU T.81, F.2 and G.1.2).
//!
//! Each does what libjpeg does with valid data, and with a run that leaves the block. This file must not know where a
//! block lies in the image.

use super::bits::Bits;
use super::huffman::{HuffmanTable, LOOKAHEAD};
use super::idct::{BLOCK, Group, LANES};
use crate::DecodeError;
use crate::decode_error::damaged;

/// A block of coefficients in natural order.
pub(super) type Block = [i16; BLOCK];

/// Natural position of each coefficient in coded order. A run may lead beyond the last: to the last, as in libjpeg.
const ZIGZAG: [u8; 128] = {
    let mut order = [63; 128];
    let (mut x, mut y, mut up, mut at) = (0_u8, 0_u8, true, 0);
    while at < BLOCK {
        order[at] = 8 * y + x;
        at += 1;
        if up {
            (x, y, up) = if x == 7 {
                (x, y + 1, false)
            } else if y == 0 {
                (x + 1, y, false)
            } else {
                (x + 1, y - 1, true)
            };
        } else {
            (x, y, up) = if y == 7 {
                (x + 1, y, true)
            } else if x == 0 {
                (x, y + 1, true)
            } else {
                (x - 1, y + 1, false)
            };
        }
    }
    order
};

/// Natural position of coefficient `index` (below 128) in coded order.
#[inline(always)]
pub(super) fn natural(index: usize) -> usize {
    usize::from(ZIGZAG[index & 127] & 63)
}

/// Decodes a block of a sequential scan into lane `lane` of its group, which must be zero, or only passes over it.
#[inline(always)]
pub(super) fn sequential<const STORES: bool>(
    bits: &mut Bits<'_>,
    dc: &HuffmanTable,
    ac: &HuffmanTable,
    last_dc: &mut i32,
    group: &mut Group,
    lane: usize,
) -> Result<(), DecodeError> {
    let coefficients = group.as_flattened_mut();
    let mut store = |index: usize, value: i16| {
        if STORES {
            coefficients[(LANES * natural(index) + lane) & (LANES * BLOCK - 1)] = value;
        }
    };
    bits.refill();
    let quick = dc.quick(bits.peek(LOOKAHEAD));
    let difference = if quick.is_known() {
        bits.skip(u32::from(quick.bits));
        i32::from(quick.values[0])
    } else {
        let size = bits.symbol(dc)?;
        bits.signed(u32::from(size))
    };
    *last_dc = last_dc.wrapping_add(difference);
    store(0, *last_dc as i16);
    let mut index = 1;
    'block: while index < BLOCK {
        bits.refill();
        // After two lookups there are still the bits of a whole symbol.
        for _ in 0..3 {
            let quick = ac.quick(bits.peek(LOOKAHEAD));
            if index + quick.places_needed() > BLOCK {
                let symbol = bits.symbol(ac)?;
                let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
                index += run;
                if size != 0 {
                    let value = bits.signed(size);
                    store(index, value as i16);
                } else if run != 15 {
                    break 'block;
                }
                index += 1;
                continue 'block;
            }
            // The second first: where there is none, its place may be beyond the block, and a zero goes where the last
            // coefficient lies.
            store(index + usize::from(quick.places[1]), quick.values[1]);
            store(index + usize::from(quick.places[0]), quick.values[0]);
            bits.skip(u32::from(quick.bits));
            index += usize::from(quick.step);
            if index >= BLOCK {
                break 'block;
            }
        }
    }
    Ok(())
}

/// First pass of the DC coefficient.
#[inline]
pub(super) fn dc_first(
    bits: &mut Bits<'_>,
    dc: &HuffmanTable,
    low: u8,
    last_dc: &mut i32,
    block: &mut Block,
) -> Result<(), DecodeError> {
    bits.refill();
    let size = bits.symbol(dc)?;
    *last_dc = last_dc.wrapping_add(bits.signed(u32::from(size)));
    block[0] = (*last_dc << low) as i16;
    Ok(())
}

/// One more bit of the DC coefficient.
#[inline]
pub(super) fn dc_refine(bits: &mut Bits<'_>, low: u8, block: &mut Block) {
    if bits.bit() {
        block[0] |= 1 << low;
    }
}

/// The coefficients of a pass, and how many of the blocks to come have no more than zeros.
pub(super) struct Band {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) low: u8,
    pub(super) empty_blocks: u32,
}

impl Band {
    /// First pass of AC coefficients.
    #[inline]
    pub(super) fn ac_first(
        &mut self,
        bits: &mut Bits<'_>,
        ac: &HuffmanTable,
        block: &mut Block,
    ) -> Result<(), DecodeError> {
        if self.empty_blocks > 0 {
            self.empty_blocks -= 1;
            return Ok(());
        }
        let mut index = self.first;
        while index <= self.last {
            bits.refill();
            let symbol = bits.symbol(ac)?;
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 && run != 15 {
                self.empty_blocks = (1 << run) + bits.take(run) - 1;
                break;
            }
            index += run as usize;
            if size != 0 {
                block[natural(index)] = (bits.signed(size) << self.low) as i16;
            }
            index += 1;
        }
        Ok(())
    }

    /// One more bit of AC coefficients.
    #[inline]
    pub(super) fn ac_refine(
        &mut self,
        bits: &mut Bits<'_>,
        ac: &HuffmanTable,
        block: &mut Block,
    ) -> Result<(), DecodeError> {
        let one = 1_i16 << self.low;
        let mut index = self.first;
        if self.empty_blocks == 0 {
            while index <= self.last {
                bits.refill();
                let symbol = bits.symbol(ac)?;
                let mut run = u32::from(symbol >> 4);
                let value = match symbol & 15 {
                    0 if run != 15 => {
                        self.empty_blocks = (1 << run) + bits.take(run);
                        break;
                    }
                    0 => 0,
                    1 if bits.bit() => one,
                    1 => -one,
                    _ => return Err(damaged("an invalid code in the JPEG data")),
                };
                while index <= self.last {
                    let coefficient = &mut block[natural(index)];
                    if *coefficient != 0 {
                        refine(bits, coefficient, one);
                    } else if run == 0 {
                        break;
                    } else {
                        run -= 1;
                    }
                    index += 1;
                }
                if value != 0 {
                    block[natural(index)] = value;
                }
                index += 1;
            }
        }
        if self.empty_blocks > 0 {
            for index in index..=self.last {
                let coefficient = &mut block[natural(index)];
                if *coefficient != 0 {
                    refine(bits, coefficient, one);
                }
            }
            self.empty_blocks -= 1;
        }
        Ok(())
    }
}

#[inline(always)]
fn refine(bits: &mut Bits<'_>, coefficient: &mut i16, one: i16) {
    if bits.bit() && *coefficient & one == 0 {
        let step = if *coefficient >= 0 { one } else { -one };
        *coefficient = coefficient.wrapping_add(step);
    }
}
