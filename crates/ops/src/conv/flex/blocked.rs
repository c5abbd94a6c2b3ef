//! Transposes between planes, [channel][pixel], and blocks, [pixel][channel], the layout with adjacent channels that the kernels
//! read.
//!
//! Works in tiles of 8 × 8 if the level includes AVX, and element by element otherwise and at the edges. Independent of
//! convolutions.

use std::ops::Range;

use barlow_simd::Level;

/// Side of a tile.
const SIDE: usize = 8;

/// Dimensions of a transpose.
#[derive(Clone, Copy)]
pub(super) struct BlockSize {
    pub channels: usize,
    pub pixels: usize,
}

/// Writes pixel p of channel c of `planes` (at c · `plane` + p) to `blocks` at p · `step` + c, and prefetches the planes of the
/// next call, which begin `ahead` floats later (0: no prefetch).
///
/// # Panics
/// If a slice is too short.
pub(super) fn to_blocks(
    level: Level,
    planes: &[f32],
    plane: usize,
    BlockSize { channels, pixels }: BlockSize,
    blocks: &mut [f32],
    step: usize,
    ahead: usize,
) {
    if channels == 0 || pixels == 0 {
        return;
    }
    assert!((channels - 1) * plane + pixels <= planes.len() && (pixels - 1) * step + channels <= blocks.len());
    // SAFETY: both matrices lie inside their slices, and the slices do not overlap.
    unsafe {
        transpose::<false>(
            level,
            planes.as_ptr(),
            plane,
            [channels, pixels],
            blocks.as_mut_ptr(),
            step,
            ahead,
        )
    }
}

/// Writes pixel p of channel c of `blocks` (at p · `step` + c) to `planes` at c · `plane` + p, or adds it there if `adds`.
///
/// # Safety
/// `planes` must be valid for writes (and reads, if `adds`) of all those floats, and nothing else may access them during the
/// call.
///
/// # Panics
/// If `blocks` is too short.
pub(super) unsafe fn to_planes(
    level: Level,
    blocks: &[f32],
    step: usize,
    BlockSize { channels, pixels }: BlockSize,
    planes: *mut f32,
    plane: usize,
    adds: bool,
) {
    if channels == 0 || pixels == 0 {
        return;
    }
    assert!((pixels - 1) * step + channels <= blocks.len());
    // SAFETY: the source lies inside its slice, the rest is guaranteed by the caller.
    unsafe {
        if adds {
            transpose::<true>(level, blocks.as_ptr(), step, [pixels, channels], planes, plane, 0);
        } else {
            transpose::<false>(level, blocks.as_ptr(), step, [pixels, channels], planes, plane, 0);
        }
    }
}

/// to[j · to_row + i] = from[i · from_row + j] for i < `rows` and j < `columns`; += if `ADDS`.
///
/// # Safety
/// All those floats must be valid, and the two matrices must not overlap.
unsafe fn transpose<const ADDS: bool>(
    level: Level,
    from: *const f32,
    from_row: usize,
    [rows, columns]: [usize; 2],
    to: *mut f32,
    to_row: usize,
    ahead: usize,
) {
    #[cfg(target_arch = "x86_64")]
    let (whole_rows, whole_columns) = if level.lanes() >= SIDE {
        let whole = (rows / SIDE * SIDE, columns / SIDE * SIDE);
        // SAFETY: a level with vectors of eight floats has AVX, and every tile is inside the matrices.
        unsafe { x86::tiles::<ADDS>(from, from_row, [whole.0, whole.1], to, to_row, ahead) };
        whole
    } else {
        (0, 0)
    };
    #[cfg(not(target_arch = "x86_64"))]
    let (whole_rows, whole_columns) = (level.lanes() * 0, 0);
    // SAFETY: guaranteed by the caller.
    unsafe {
        scalar::<ADDS>(from, from_row, 0..whole_rows, whole_columns..columns, to, to_row);
        scalar::<ADDS>(from, from_row, whole_rows..rows, 0..columns, to, to_row);
    }
}

/// # Safety
/// Same as [`transpose`].
unsafe fn scalar<const ADDS: bool>(
    from: *const f32,
    from_row: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    to: *mut f32,
    to_row: usize,
) {
    for j in columns {
        for i in rows.clone() {
            // SAFETY: i and j are less than the numbers of rows and columns.
            unsafe {
                let (from, to) = (from.add(i * from_row + j), to.add(j * to_row + i));
                to.write(if ADDS { *from + *to } else { *from });
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::SIDE;
    use barlow_simd::prefetch;
    use std::arch::x86_64::*;

    /// Whole tiles: `rows` and `columns` are multiples of [`SIDE`].
    ///
    /// # Safety
    /// Same as `super::transpose`; the CPU must have AVX.
    #[target_feature(enable = "avx")]
    pub(super) unsafe fn tiles<const ADDS: bool>(
        from: *const f32,
        from_row: usize,
        [rows, columns]: [usize; 2],
        to: *mut f32,
        to_row: usize,
        ahead: usize,
    ) {
        for i in (0..rows).step_by(SIDE) {
            for j in (0..columns).step_by(SIDE) {
                if ahead > 0 {
                    for row in 0..SIDE {
                        prefetch(from.wrapping_add((i + row) * from_row + j + ahead), 1);
                    }
                }
                // SAFETY: the tile is inside both matrices.
                unsafe { tile::<ADDS>(from.add(i * from_row + j), from_row, to.add(j * to_row + i), to_row) };
            }
        }
    }

    /// # Safety
    /// Eight rows of eight floats must be valid on both sides.
    #[target_feature(enable = "avx")]
    unsafe fn tile<const ADDS: bool>(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        // SAFETY: guaranteed by the caller.
        let row = |i: usize| unsafe { _mm256_loadu_ps(from.add(i * from_row)) };
        // Interleaves pairs of rows, then fours, in each half of the vectors; then swaps halves.
        let low = |a, b| _mm256_unpacklo_ps(a, b);
        let high = |a, b| _mm256_unpackhi_ps(a, b);
        let (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3));
        let (r4, r5, r6, r7) = (row(4), row(5), row(6), row(7));
        let (a0, a1, a2, a3) = (low(r0, r1), high(r0, r1), low(r2, r3), high(r2, r3));
        let (a4, a5, a6, a7) = (low(r4, r5), high(r4, r5), low(r6, r7), high(r6, r7));
        let first = |a, b| _mm256_shuffle_ps::<0b01_00_01_00>(a, b);
        let second = |a, b| _mm256_shuffle_ps::<0b11_10_11_10>(a, b);
        let (b0, b1, b2, b3) = (first(a0, a2), second(a0, a2), first(a1, a3), second(a1, a3));
        let (b4, b5, b6, b7) = (first(a4, a6), second(a4, a6), first(a5, a7), second(a5, a7));
        let lower = |a, b| _mm256_permute2f128_ps::<0x20>(a, b);
        let upper = |a, b| _mm256_permute2f128_ps::<0x31>(a, b);
        let columns = [
            lower(b0, b4),
            lower(b1, b5),
            lower(b2, b6),
            lower(b3, b7),
            upper(b0, b4),
            upper(b1, b5),
            upper(b2, b6),
            upper(b3, b7),
        ];
        for (j, column) in columns.into_iter().enumerate() {
            // SAFETY: guaranteed by the caller.
            unsafe {
                let to = to.add(j * to_row);
                _mm256_storeu_ps(
                    to,
                    if ADDS {
                        _mm256_add_ps(column, _mm256_loadu_ps(to))
                    } else {
                        column
                    },
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_at_every_level() {
        for level in Level::ALL {
            for (channels, pixels, step) in [(16, 32, 16), (3, 5, 3), (17, 19, 40), (8, 8, 8), (16, 9, 64), (1, 1, 1)] {
                let size = BlockSize { channels, pixels };
                let plane = pixels + 3;
                let planes: Vec<f32> = (0..channels * plane).map(|i| i as f32).collect();
                let mut blocks = vec![-1.0; pixels * step];
                to_blocks(level, &planes, plane, size, &mut blocks, step, 0);
                for (index, value) in blocks.iter().enumerate() {
                    let (pixel, channel) = (index / step, index % step);
                    let expected = if channel < channels {
                        planes[channel * plane + pixel]
                    } else {
                        -1.0
                    };
                    assert_eq!(
                        *value, expected,
                        "{channels} {pixels} {step}: pixel {pixel} channel {channel}"
                    );
                }
                let mut back = vec![-1.0; channels * plane];
                // SAFETY: `back` holds all planes and is owned by this test.
                unsafe { to_planes(level, &blocks, step, size, back.as_mut_ptr(), plane, false) };
                for (index, value) in back.iter().enumerate() {
                    let expected = if index % plane < pixels { index as f32 } else { -1.0 };
                    assert_eq!(*value, expected);
                }
                // SAFETY: as above.
                unsafe { to_planes(level, &blocks, step, size, back.as_mut_ptr(), plane, true) };
                for (index, value) in back.iter().enumerate() {
                    let expected = if index % plane < pixels {
                        2.0 * index as f32
                    } else {
                        -1.0
                    };
                    assert_eq!(*value, expected);
                }
            }
        }
    }
}
