//! SIMD kernel of a correlation: multiplies input positions by weights and sums over taps and channels in registers.
//!
//! A tile is a few positions by a few vectors of output channels. For each channel of each tap it loads the weights once and
//! multiplies them by that channel of every position. No patches are copied: a tap is just another address to read from, which
//! the [`ConvPlan`] provides.

use std::mem::take;
use std::ops::Range;

use barlow_simd::{Simd, WithSimd};

use super::plan::{ConvPlan, Stretch, Tap};
use super::tiles::{even_cuts, with_constant};
use super::vectors::{load, store};

/// One tile of output channels of a band of output rows, for a chunk of input channels.
pub(super) struct ConvKernel<'a> {
    pub plan: &'a ConvPlan,
    /// Output rows.
    pub rows: Range<usize>,
    /// Packed input rows, from `first_input` on: [block of channels][row][column][image][channel of the block].
    pub x: &'a [f32],
    pub first_input: usize,
    /// Channels per block.
    pub block: usize,
    /// Floats per block.
    pub block_floats: usize,
    /// Total number of input channels.
    pub channels: usize,
    /// The input channels to sum over: whole blocks, except that the last one may be partial.
    pub chunk: Range<usize>,
    /// [tap][input channel][output channel of the tile]
    pub weights: &'a [f32],
    /// Output channels per tile.
    pub width: usize,
    /// [row][column][image][output channel of the tile]
    pub out: &'a mut [f32],
    /// Add to `out` instead of overwriting it.
    pub accumulate: bool,
}

impl WithSimd for ConvKernel<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many positions as possible while registers remain for the weights and one input value.
        match (S::F32_LANES, self.width) {
            (16, 32) => self.rows::<S, 14, 2>(simd),
            (16, _) => self.rows::<S, 14, 1>(simd),
            (8, _) => self.rows::<S, 6, 2>(simd),
            (4, _) => self.rows::<S, 6, 4>(simd),
            _ => self.rows::<S, 2, 16>(simd),
        }
    }
}

impl ConvKernel<'_> {
    #[inline(always)]
    fn rows<S: Simd, const MOST: usize, const V: usize>(mut self, simd: S) {
        let (plan, rows) = (self.plan, self.rows.clone());
        assert_eq!(V * S::F32_LANES, self.width);
        assert!(self.out.len() >= rows.len() * plan.out_pitch() * self.width);
        // Taken once from the exclusive reference, because writing through a pointer from a shared borrow of `self` is not
        // allowed.
        let out = take(&mut self.out).as_mut_ptr();
        for (index, row) in plan.rows[rows].iter().enumerate() {
            let out_row = index * plan.out_pitch();
            for stretch in &plan.stretches[row.stretches.clone()] {
                let taps = &plan.taps[stretch.taps.clone()];
                for cut in even_cuts(stretch.len, MOST) {
                    // SAFETY: the plan's positions are inside the packed rows and `out`, and the weights contain every tap of
                    // every channel.
                    unsafe {
                        with_constant!(
                            cut.len(),
                            MOST,
                            tile::<S, _, V>(simd, &self, out, stretch, taps, cut.start, out_row)
                        )
                    }
                }
            }
        }
    }
}

/// R positions of a stretch, from `first` on.
///
/// # Safety
/// The positions of the stretch and its taps must be inside the slices of `work` and inside `out`, which nothing else may access.
#[inline(always)]
unsafe fn tile<S: Simd, const R: usize, const V: usize>(
    simd: S,
    work: &ConvKernel<'_>,
    out: *mut f32,
    stretch: &Stretch,
    taps: &[Tap],
    first: usize,
    out_row: usize,
) {
    let step = stretch.in_step * work.block;
    let out_step = stretch.out_step * work.width;
    // SAFETY: guaranteed by the caller, for every pointer below.
    unsafe {
        let out = out.add((out_row + stretch.out) * work.width + first * out_step);
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        if work.accumulate {
            for (r, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = load::<S>(out.add(r * out_step + v * S::F32_LANES));
                }
            }
        }
        let start = first * stretch.in_step;
        let skipped = work.first_input * work.plan.pitch();
        for tap in taps {
            let mut weights = work
                .weights
                .as_ptr()
                .add((tap.kernel * work.channels + work.chunk.start) * work.width);
            let offset = (tap.position + start - skipped) * work.block;
            let mut x = work
                .x
                .as_ptr()
                .add(work.chunk.start / work.block * work.block_floats + offset);
            let mut left = work.chunk.len();
            while left > 0 {
                let channels = left.min(work.block);
                for channel in 0..channels {
                    let mut weight = [simd.splat_f32s(0.0); V];
                    for (v, weight) in weight.iter_mut().enumerate() {
                        *weight = load::<S>(weights.add(v * S::F32_LANES));
                    }
                    weights = weights.add(V * S::F32_LANES);
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let value = simd.splat_f32s(*x.add(r * step + channel));
                        for (sum, weight) in sums.iter_mut().zip(weight) {
                            *sum = simd.mul_add_e_f32s(value, weight, *sum);
                        }
                    }
                }
                left -= channels;
                // Wrapping, because after the last block it may point past the end of the slice.
                x = x.wrapping_add(work.block_floats);
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (v, sum) in sums.into_iter().enumerate() {
                store::<S>(out.add(r * out_step + v * S::F32_LANES), sum);
            }
        }
    }
}
