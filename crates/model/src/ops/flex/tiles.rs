//! Tiles: how many output channels a kernel holds side by side, and how positions are cut.
//!
//! The kernels are written once over `pulp`'s vectors and compiled for AVX-512, AVX2 and neither (NEON on ARM); the machine
//! decides at run time.

use crate::ops::cpu::simd::Level;

/// Output channels of a tile: as many as two wide vectors hold, or one where there are no more.
pub(super) fn tile_width(level: Level, channels: usize) -> usize {
    if level.lanes() == 16 && channels > 16 { 32 } else { 16 }
}

/// Cuts `len` into runs of about equal length of at most `most`: a tile of one position would cost as much as one of four.
#[inline(always)]
pub(super) fn even_cuts(len: usize, most: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let tiles = len.div_ceil(most);
    (0..tiles).map(move |tile| tile * len / tiles..(tile + 1) * len / tiles)
}

/// Calls `$function::<$simd, R, $vectors>($arguments)` with R = `$count`, which is at most `$most`.
macro_rules! with_constant {
    ($count:expr, $most:expr, $function:ident::<$simd:ty, _, $vectors:ident>$arguments:tt) => {
        $crate::ops::flex::tiles::with_constant!(@arms $count, $most, $function, $simd, $vectors, $arguments, 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    };
    (@arms $count:expr, $most:expr, $function:ident, $simd:ty, $vectors:ident, $arguments:tt, $($constant:literal)*) => {
        match $count {
            $($constant if $constant <= $most => $function::<$simd, $constant, $vectors>$arguments,)*
            other => unreachable!("a tile of {other}"),
        }
    };
}
pub(super) use with_constant;
