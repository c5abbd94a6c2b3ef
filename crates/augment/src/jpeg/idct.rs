//! Inverse discrete cosine transform of 8x8 blocks, equal to the bit to libjpeg's accurate integer transform (`jidctint`,
//! the default of libjpeg, libjpeg-turbo and Pillow).
//!
//! Coefficients of damaged data overflow. They wrap and saturate where libjpeg-turbo's vector code does, which has 16 bits for
//! each value.

use crate::simd::vectorised;

/// Values of a block.
pub(super) const BLOCK: usize = 64;

/// Blocks that are transformed side by side: one in each lane of a vector.
pub(super) const LANES: usize = 16;

/// Coefficients of [`LANES`] blocks: for each position in natural order those of all blocks.
pub(super) type Group = [[i16; LANES]; BLOCK];

vectorised! {
    /// Transforms `count` blocks in groups into samples, and leaves the groups zero. The samples of the blocks lie in rows of
    /// `columns` blocks, from the beginning of `plane` on, which has `stride` samples in a row.
    pub(super) fn transform<'a>(
        groups: &'a mut [Group],
        quant: &'a [u16; BLOCK],
        count: usize,
        columns: usize,
        plane: &'a mut [u8],
        stride: usize,
    ) {
        let (mut x, mut left, mut at) = (0, count, 0);
        for group in &mut groups[..count.div_ceil(LANES)] {
            let mut samples = [[0; LANES]; 8];
            transform_group(group, quant, &mut samples);
            *group = [[0; LANES]; BLOCK];
            for lane in 0..left.min(LANES) {
                let block = &mut plane[at..at + 7 * stride + 8];
                for (row, samples) in samples.iter().enumerate() {
                    block[row * stride..][..8].copy_from_slice(&samples[lane].to_le_bytes());
                }
                x += 1;
                at += 8;
                if x == columns {
                    x = 0;
                    at += 8 * (stride - columns);
                }
            }
            left = left.saturating_sub(LANES);
        }
    }
}

const CONST_BITS: u32 = 13;
const PASS1_BITS: u32 = 2;

/// Samples of a group's blocks: for each row of a block and each lane eight of them, the first in the lowest byte.
#[inline(always)]
fn transform_group(group: &Group, quant: &[u16; BLOCK], samples: &mut [[u64; LANES]; 8]) {
    let corner_below = any(&[&group[8..12], &group[16..20], &group[24..28]]);
    let right_below = any(&[&group[12..16], &group[20..24], &group[28..32], &group[32..]]);
    let is_row: [bool; LANES] = std::array::from_fn(|lane| corner_below[lane] | right_below[lane] == 0);
    let right = any(&[&group[4..8]]);
    let is_corner = (0..LANES).fold(0, |all, lane| all | right_below[lane] | right[lane]) == 0;
    if is_corner {
        in_two_passes::<4>(group, quant, &is_row, samples);
    } else {
        in_two_passes::<8>(group, quant, &is_row, samples);
    }
}

/// The bits of all values in each lane.
#[inline(always)]
fn any(parts: &[&[[i16; LANES]]]) -> [i16; LANES] {
    let mut all = [0; LANES];
    for lanes in parts.iter().copied().flatten() {
        for lane in 0..LANES {
            all[lane] |= lanes[lane];
        }
    }
    all
}

/// The transform of columns and then of rows. All coefficients outside the first `KNOWN` columns and rows must be 0.
#[inline(always)]
fn in_two_passes<const KNOWN: usize>(
    group: &Group,
    quant: &[u16; BLOCK],
    is_row: &[bool; LANES],
    samples: &mut [[u64; LANES]; 8],
) {
    let mut between: Group = [[0; LANES]; BLOCK];
    for column in 0..KNOWN {
        for lane in 0..LANES {
            let values = std::array::from_fn(|row| {
                let at = 8 * row + column;
                let value = if row < KNOWN {
                    group[at][lane].wrapping_mul(quant[at].cast_signed())
                } else {
                    0
                };
                // Where no more than the first row is known, libjpeg-turbo shifts without saturation.
                if row == 0 && is_row[lane] {
                    i32::from((value << PASS1_BITS) >> PASS1_BITS)
                } else {
                    i32::from(value)
                }
            });
            let results = one_dimension::<{ CONST_BITS - PASS1_BITS }>(values);
            for (row, result) in results.into_iter().enumerate() {
                between[8 * row + column][lane] = result.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
            }
        }
    }
    for (row, samples) in samples.iter_mut().enumerate() {
        let (mut low, mut high) = ([0_u32; LANES], [0_u32; LANES]);
        for lane in 0..LANES {
            let values = std::array::from_fn(|column| match column < KNOWN {
                true => i32::from(between[8 * row + column][lane]),
                false => 0,
            });
            let results = one_dimension::<{ CONST_BITS + PASS1_BITS + 3 }>(values);
            let bytes = results.map(|result| (result + 128).clamp(0, 255).cast_unsigned());
            low[lane] = bytes[0] | bytes[1] << 8 | bytes[2] << 16 | bytes[3] << 24;
            high[lane] = bytes[4] | bytes[5] << 8 | bytes[6] << 16 | bytes[7] << 24;
        }
        for lane in 0..LANES {
            samples[lane] = u64::from(low[lane]) | u64::from(high[lane]) << 32;
        }
    }
}

/// The transform of eight values, divided by `1 << SHIFT`, rounded.
#[inline(always)]
fn one_dimension<const SHIFT: u32>(values: [i32; 8]) -> [i32; 8] {
    // Sums of two inputs have 16 bits, everything between them and the results 32.
    let wrapped = |sum: i32| i32::from(sum as i16);
    let times = i32::wrapping_mul;
    let add = i32::wrapping_add;
    let subtract = i32::wrapping_sub;
    // Even part.
    let (z2, z3) = (values[2], values[6]);
    let tmp2 = add(times(z2, 4433), times(z3, 4433 - 15137));
    let tmp3 = add(times(z2, 4433 + 6270), times(z3, 4433));
    let tmp0 = wrapped(values[0] + values[4]) << CONST_BITS;
    let tmp1 = wrapped(values[0] - values[4]) << CONST_BITS;
    let half = 1 << (SHIFT - 1);
    let tmp10 = add(add(tmp0, tmp3), half);
    let tmp13 = add(subtract(tmp0, tmp3), half);
    let tmp11 = add(add(tmp1, tmp2), half);
    let tmp12 = add(subtract(tmp1, tmp2), half);
    // Odd part.
    let (tmp0, tmp1, tmp2, tmp3) = (values[7], values[5], values[3], values[1]);
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
    [
        add(tmp10, tmp3) >> SHIFT,
        add(tmp11, tmp2) >> SHIFT,
        add(tmp12, tmp1) >> SHIFT,
        add(tmp13, tmp0) >> SHIFT,
        subtract(tmp13, tmp0) >> SHIFT,
        subtract(tmp12, tmp1) >> SHIFT,
        subtract(tmp11, tmp2) >> SHIFT,
        subtract(tmp10, tmp3) >> SHIFT,
    ]
}
