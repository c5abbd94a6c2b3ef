//! Which vector instructions the kernels use, and how many output channels they hold side by side.
//!
//! The kernels are written once over `pulp`'s vectors and compiled for AVX-512, AVX2 and neither (NEON on ARM); the machine
//! decides at run time.

use pulp::{Arch, Simd, WithSimd};

/// The widest vectors of the machine, or what a test asks for.
pub(super) fn arch() -> Arch {
    #[cfg(test)]
    if let Some(arch) = FORCED.get() {
        return arch;
    }
    Arch::new()
}

/// Output channels of a tile: as many as two wide vectors hold, or one where there are no more.
pub(super) fn tile_width(arch: Arch, channels: usize) -> usize {
    if lanes(arch) == 16 && channels > 16 { 32 } else { 16 }
}

fn lanes(arch: Arch) -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _simd: S) -> usize {
            S::F32_LANES
        }
    }
    arch.dispatch(Lanes)
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
        $crate::ops::flex::vectors::with_constant!(@arms $count, $most, $function, $simd, $vectors, $arguments, 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    };
    (@arms $count:expr, $most:expr, $function:ident, $simd:ty, $vectors:ident, $arguments:tt, $($constant:literal)*) => {
        match $count {
            $($constant if $constant <= $most => $function::<$simd, $constant, $vectors>$arguments,)*
            other => unreachable!("a tile of {other}"),
        }
    };
}
pub(super) use with_constant;

#[cfg(test)]
thread_local! {
    static FORCED: std::cell::Cell<Option<Arch>> = const { std::cell::Cell::new(None) };
}
