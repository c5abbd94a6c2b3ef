//! Inverse discrete cosine transform of 8x8 blocks, equal to the bit to libjpeg's accurate integer transform (`jidctint`,
//! the default of libjpeg, libjpeg-turbo and Pillow).
//!
//! Coefficients of damaged data overflow. They wrap and saturate where libjpeg-turbo's vector code does, which has 16 bits for
//! each value.

use crate::simd::vectorised;

/// Values of a block.
pub(super) const BLOCK: usize = 64;

vectorised! {
    /// Transforms blocks of coefficients (natural order) side by side into rows of `stride` samples, 8 rows high.
    pub(super) fn transform_row<'a>(blocks: &'a [i16], quant: &'a [u16; BLOCK], plane: &'a mut [u8], stride: usize) {
        for (index, block) in blocks.as_chunks::<BLOCK>().0.iter().enumerate() {
            let left = 8 * index;
            let extent = Extent::of(block);
            let dequantised = |at: usize| i32::from(block[at].wrapping_mul(quant[at].cast_signed()));
            if extent == Extent::Flat {
                let level = i32::from((dequantised(0) << PASS1_BITS) as i16);
                let value = ((level + (1 << (PASS1_BITS + 2))) >> (PASS1_BITS + 3)) + 128;
                for row in 0..8 {
                    plane[row * stride + left..][..8].fill(value.clamp(0, 255) as u8);
                }
                continue;
            }
            let mut values = [[0_i32; 8]; 8];
            match extent {
                Extent::Flat | Extent::Row => {
                    for (column, values) in values.iter_mut().enumerate() {
                        *values = [i32::from((dequantised(column) << PASS1_BITS) as i16); 8];
                    }
                    one_dimension::<8>(&mut values, CONST_BITS + PASS1_BITS + 3);
                }
                Extent::Corner => {
                    dequantise(block, quant, &mut values[..4]);
                    one_dimension::<4>(&mut values, CONST_BITS - PASS1_BITS);
                    transpose(&mut values);
                    one_dimension::<4>(&mut values, CONST_BITS + PASS1_BITS + 3);
                }
                Extent::Full => {
                    dequantise(block, quant, &mut values);
                    one_dimension::<8>(&mut values, CONST_BITS - PASS1_BITS);
                    transpose(&mut values);
                    one_dimension::<8>(&mut values, CONST_BITS + PASS1_BITS + 3);
                }
            }
            let samples = transposed_bytes(values.map(|column| {
                u64::from_le_bytes(column.map(|value| value.wrapping_add(128).clamp(0, 255) as u8))
            }));
            for (row, samples) in samples.into_iter().enumerate() {
                plane[row * stride + left..][..8].copy_from_slice(&samples.to_le_bytes());
            }
        }
    }
}

const CONST_BITS: u32 = 13;
const PASS1_BITS: u32 = 2;

/// Where the coefficients of a block are that are not 0.
#[derive(PartialEq, Eq)]
enum Extent {
    /// At most the first.
    Flat,
    /// In the first row.
    Row,
    /// In the first four columns and rows.
    Corner,
    Full,
}

impl Extent {
    #[inline(always)]
    fn of(block: &[i16; BLOCK]) -> Self {
        // Half a row in a number.
        let half = |at: usize| (0..4).fold(0, |all, i| all | u64::from(block[at + i].cast_unsigned()) << (16 * i));
        let (mut below, mut right, mut corner) = (0, half(4), 0);
        for row in 1..8 {
            let (left, end) = (half(8 * row), half(8 * row + 4));
            below |= left | end;
            right |= end;
            corner |= if row < 4 { 0 } else { left };
        }
        match (below, right | corner, half(0) & !0xFFFF | half(4)) {
            (0, _, 0) => Self::Flat,
            (0, ..) => Self::Row,
            (_, 0, _) => Self::Corner,
            _ => Self::Full,
        }
    }
}

/// The first rows of a block times the quantisation.
#[inline(always)]
fn dequantise(block: &[i16; BLOCK], quant: &[u16; BLOCK], rows: &mut [[i32; 8]]) {
    let values = rows.as_flattened_mut().iter_mut();
    for ((value, coefficient), quant) in values.zip(block).zip(quant) {
        *value = i32::from(coefficient.wrapping_mul(quant.cast_signed()));
    }
}

#[inline(always)]
fn transpose(values: &mut [[i32; 8]; 8]) {
    let from = *values;
    for (row, out) in values.iter_mut().enumerate() {
        for (column, out) in out.iter_mut().enumerate() {
            *out = from[column][row];
        }
    }
}

/// The transposed matrix of 8x8 bytes, of which each number holds a row.
#[inline(always)]
fn transposed_bytes(mut rows: [u64; 8]) -> [u64; 8] {
    for (step, mask) in [(4, 0xFFFF_FFFF), (2, 0xFFFF_0000_FFFF), (1, 0xFF_00FF_00FF_00FF)] {
        for row in (0..8).filter(|row| row & step == 0) {
            let swapped = ((rows[row] >> (8 * step)) ^ rows[row + step]) & mask;
            rows[row + step] ^= swapped;
            rows[row] ^= swapped << (8 * step);
        }
    }
    rows
}

/// The transform of each column, whose values from `KNOWN` on are 0, divided by `1 << shift`, rounded.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "the loop over lanes that compilers vectorise")]
fn one_dimension<const KNOWN: usize>(rows: &mut [[i32; 8]; 8], shift: u32) {
    // Sums of two inputs have 16 bits, everything between them and the results 32.
    let wrapped = |sum: i32| i32::from(sum as i16);
    for column in 0..8 {
        let value = |row: usize| if row < KNOWN { rows[row][column] } else { 0 };
        let times = i32::wrapping_mul;
        let add = i32::wrapping_add;
        let subtract = i32::wrapping_sub;
        // Even part.
        let (z2, z3) = (value(2), value(6));
        let tmp2 = add(times(z2, 4433), times(z3, 4433 - 15137));
        let tmp3 = add(times(z2, 4433 + 6270), times(z3, 4433));
        let tmp0 = wrapped(value(0) + value(4)) << CONST_BITS;
        let tmp1 = wrapped(value(0) - value(4)) << CONST_BITS;
        let half = 1 << (shift - 1);
        let tmp10 = add(add(tmp0, tmp3), half);
        let tmp13 = add(subtract(tmp0, tmp3), half);
        let tmp11 = add(add(tmp1, tmp2), half);
        let tmp12 = add(subtract(tmp1, tmp2), half);
        // Odd part.
        let (tmp0, tmp1, tmp2, tmp3) = (value(7), value(5), value(3), value(1));
        let (z3, z4) = (wrapped(tmp0 + tmp2), wrapped(tmp1 + tmp3));
        let z5 = times(z3 + z4, 9633);
        let z1 = times(tmp0 + tmp3, -7373);
        let z2 = times(tmp1 + tmp2, -20995);
        let z3 = add(times(z3, -16069), z5);
        let z4 = add(times(z4, -3196), z5);
        let tmp0 = add(times(tmp0, 2446), add(z1, z3));
        let tmp1 = add(times(tmp1, 16819), add(z2, z4));
        let tmp2 = add(times(tmp2, 25172), add(z2, z3));
        let tmp3 = add(times(tmp3, 12299), add(z1, z4));
        let results = [
            add(tmp10, tmp3),
            add(tmp11, tmp2),
            add(tmp12, tmp1),
            add(tmp13, tmp0),
            subtract(tmp13, tmp0),
            subtract(tmp12, tmp1),
            subtract(tmp11, tmp2),
            subtract(tmp10, tmp3),
        ];
        for (row, result) in results.into_iter().enumerate() {
            rows[row][column] = (result >> shift).clamp(i32::from(i16::MIN), i32::from(i16::MAX));
        }
    }
}
