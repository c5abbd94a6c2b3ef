//! SIMD kernel of the weight gradient: outer products of input channels and channels of the output gradient, summed
//! over positions in registers.

use barlow_simd::{Simd, WithSimd};

use super::tiles::{even_cuts, with_constant};
use super::vectors::{load, store};

/// A run of adjacent positions: position i reads position `x` + i · `in_step` of the input and `gradient` + i of the output
/// gradient.
#[derive(Clone, Copy, Debug)]
pub(super) struct PositionRun {
    pub x: usize,
    pub gradient: usize,
    pub len: usize,
}

/// A block of input channels times a tile of output channels, through one tap.
pub(super) struct WeightGradKernel<'a> {
    pub runs: &'a [PositionRun],
    /// [position][channel of the block]
    pub x: &'a [f32],
    /// Channels per block in memory.
    pub block: usize,
    /// Channels of the block to compute.
    pub channels: usize,
    /// Distance between neighbouring positions in the input, in positions.
    pub in_step: usize,
    /// [position][channel of the tile]
    pub gradient: &'a [f32],
    /// Channels per tile.
    pub width: usize,
    /// Sums of the first input channel, which are added to. A pointer, because the sums of other tasks lie between those of this
    /// one.
    pub sums: *mut f32,
    /// Distance between the sums of neighbouring input channels, in floats.
    pub sum_step: usize,
}

impl WithSimd for WeightGradKernel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (S::F32_LANES, self.width) {
            (16, 32) => self.channels::<S, 14, 2>(simd),
            (16, _) => self.channels::<S, 14, 1>(simd),
            (8, _) => self.channels::<S, 6, 2>(simd),
            (4, _) => self.channels::<S, 6, 4>(simd),
            _ => self.channels::<S, 2, 16>(simd),
        }
    }
}

impl WeightGradKernel<'_> {
    #[inline(always)]
    fn channels<S: Simd, const MOST: usize, const V: usize>(self, simd: S) {
        assert_eq!(V * S::F32_LANES, self.width);
        for run in self.runs {
            assert!((run.x + (run.len - 1) * self.in_step + 1) * self.block <= self.x.len());
            assert!((run.gradient + run.len) * self.width <= self.gradient.len());
        }
        for cut in even_cuts(self.channels, MOST) {
            // SAFETY: the runs are inside both slices (asserted), and only this call accesses its sums.
            unsafe { with_constant!(cut.len(), MOST, tile::<S, _, V>(simd, &self, cut.start)) }
        }
    }
}

/// The sums of R input channels from `first` on.
///
/// # Safety
/// The runs must be inside the slices, and nothing else may access the sums.
#[inline(always)]
unsafe fn tile<S: Simd, const R: usize, const V: usize>(simd: S, work: &WeightGradKernel<'_>, first: usize) {
    let step = work.in_step * work.block;
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    // SAFETY: guaranteed by the caller, for every pointer below.
    unsafe {
        for run in work.runs {
            let mut x = work.x.as_ptr().add(run.x * work.block + first);
            let mut gradient = work.gradient.as_ptr().add(run.gradient * work.width);
            for _ in 0..run.len {
                let mut vectors = [simd.splat_f32s(0.0); V];
                for (v, vector) in vectors.iter_mut().enumerate() {
                    *vector = load::<S>(gradient.add(v * S::F32_LANES));
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let value = simd.splat_f32s(*x.add(r));
                    for (sum, vector) in sums.iter_mut().zip(vectors) {
                        *sum = simd.mul_add_e_f32s(value, vector, *sum);
                    }
                }
                // Wrapping, because after the last position they may point past the end of the slices.
                x = x.wrapping_add(step);
                gradient = gradient.wrapping_add(work.width);
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (v, sum) in sums.into_iter().enumerate() {
                let sums = work.sums.add((first + r) * work.sum_step + v * S::F32_LANES);
                store::<S>(sums, simd.add_f32s(load::<S>(sums), sum));
            }
        }
    }
}
