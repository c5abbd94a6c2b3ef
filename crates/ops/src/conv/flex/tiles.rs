//! Tiles: the number of output channels that a kernel computes at a time, and the partition of positions.

use barlow_simd::Level;

/// Output channels per tile: two AVX-512 vectors, or one if that holds all channels; always 16 without AVX-512.
pub(super) fn tile_width(level: Level, channels: usize) -> usize {
    if level.lanes() == 16 && channels > 16 { 32 } else { 16 }
}

/// Splits `len` into ranges of about equal length, at most `most`: a tile of one position would cost as much as one of four.
#[inline(always)]
pub(super) fn even_cuts(len: usize, most: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let tiles = len.div_ceil(most);
    (0..tiles).map(move |tile| tile * len / tiles..(tile + 1) * len / tiles)
}

/// Calls `$function::<$simd, R, $vectors>($arguments)` with R = `$count`, which is at most `$most`.
macro_rules! with_constant {
    ($count:expr, $most:expr, $function:ident::<$simd:ty, _, $vectors:ident>$arguments:tt) => {
        $crate::conv::flex::tiles::with_constant!(@arms $count, $most, $function, $simd, $vectors, $arguments, 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    };
    (@arms $count:expr, $most:expr, $function:ident, $simd:ty, $vectors:ident, $arguments:tt, $($constant:literal)*) => {
        match $count {
            $($constant if $constant <= $most => $function::<$simd, $constant, $vectors>$arguments,)*
            other => unreachable!("a tile of {other}"),
        }
    };
}
pub(super) use with_constant;
