//! Mean pooling of feature maps and its gradient.

use std::mem::MaybeUninit;

use barlow_simd::{Simd, WithSimd};

/// Independent partial sums of a map, the same number on every machine.
const LANES: usize = 16;

/// Computes the means of maps of `pixels` values.
pub(super) struct MeanForward<'a> {
    pub(super) pixels: usize,
    pub(super) x: &'a [f32],
    pub(super) y: &'a mut [f32],
}

impl WithSimd for MeanForward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (map, mean) in self.x.chunks_exact(self.pixels).zip(self.y) {
            let (groups, rest) = map.as_chunks::<LANES>();
            let mut lanes = [0.0f32; LANES];
            for group in groups {
                for lane in 0..LANES {
                    lanes[lane] += group[lane];
                }
            }
            let sum: f64 = lanes.iter().chain(rest).map(|&value| f64::from(value)).sum();
            *mean = (sum / self.pixels as f64) as f32;
        }
    }
}

/// Distributes the gradient of each map's mean evenly to its pixels.
pub(super) fn spread(pixels: usize, dy: &[f32], dx: &mut [MaybeUninit<f32>]) {
    for (map, gradient) in dx.chunks_exact_mut(pixels).zip(dy) {
        map.fill(MaybeUninit::new(gradient / pixels as f32));
    }
}
