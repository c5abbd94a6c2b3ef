//! A correlation over a whole batch: packs the weights and selects the algorithm.
//!
//! Every output is one sum whose order depends only on the shape, however the work is split into tasks. Independent of
//! tensors.

use std::mem::MaybeUninit;

use barlow_simd::{Level, scratch};

use super::correlation::{ConvOutput, Correlation};
use super::tiles::tile_width;
use super::{direct, pointwise, weights, winograd};
use crate::cpu::disjoint_out::DisjointOut;
use crate::cpu::tensors::written;

impl Correlation {
    /// The output [N, C_out, H', W'] of `x` [N, C_in, H, W] and `weight`, which is [C_out, C_in, k, k], or
    /// [C_in, C_out, k, k] if `for_input_gradient`.
    pub fn run(&self, level: Level, x: &[f32], weight: &[f32], for_input_gradient: bool) -> Vec<f32> {
        if self.is_zero(x) {
            return vec![0.0; self.images * self.image_out()];
        }
        let write = |floats: &mut [MaybeUninit<f32>]| {
            let output = ConvOutput {
                floats: DisjointOut::fresh(floats),
                adds: false,
            };
            self.output(level, x, weight, for_input_gradient, output);
        };
        // SAFETY: the tasks cover every image, row and tile of channels, and each one writes its whole part.
        unsafe { written(self.images * self.image_out(), write) }
    }

    /// Adds the output to `sum`, element by element.
    ///
    /// # Panics
    /// If the length of `sum` differs from that of the output.
    pub fn add(&self, level: Level, x: &[f32], weight: &[f32], for_input_gradient: bool, sum: &mut [f32]) {
        assert_eq!(
            sum.len(),
            self.images * self.image_out(),
            "length of the sum and of the output"
        );
        if self.is_zero(x) {
            return;
        }
        let output = ConvOutput {
            floats: DisjointOut::of(sum),
            adds: true,
        };
        self.output(level, x, weight, for_input_gradient, output);
    }

    /// Whether the sums are empty.
    fn is_zero(&self, x: &[f32]) -> bool {
        self.kernel * self.channels_in * x.len() == 0
    }

    fn output(&self, level: Level, x: &[f32], weight: &[f32], for_input_gradient: bool, output: ConvOutput<'_>) {
        if pointwise::suits(self) {
            return pointwise::run(level, self, x, weight, for_input_gradient, output);
        }
        let width = tile_width(level, self.channels_out);
        let taps = self.kernel * self.kernel;
        let dims = match for_input_gradient {
            true => [self.channels_in, self.channels_out, taps],
            false => [self.channels_out, self.channels_in, taps],
        };
        let packed = self.channels_out.div_ceil(width) * taps * self.channels_in * width;
        scratch::with_shared(packed, |packed| {
            weights::pack(level, weight, dims, for_input_gradient, width, packed);
            if winograd::suits(self) {
                winograd::run(level, self, x, packed, for_input_gradient, output);
            } else {
                direct::run(level, self, x, packed, output);
            }
        });
    }
}
