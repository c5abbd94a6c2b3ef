//! Which channels a task takes. Every cut is a function of the shape alone.

use burn::tensor::TensorMetadata;
use burn_flex::FlexTensor;

use crate::ops::cpu::memory::{Piece, Runs};
use crate::ops::cpu::simd::prefetch;

/// Floats of an image that a task takes at least, in whole channels: whole cache lines, even for vectors.
const RUN_FLOATS: usize = 256;

/// [N, C, S]
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) images: usize,
    pub(super) channels: usize,
    pub(super) pixels: usize,
}

impl Layout {
    pub(super) fn of(x: &FlexTensor) -> Self {
        let [images, channels, pixels] = x.shape().dims();
        Self {
            images,
            channels,
            pixels,
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.images * self.channels * self.pixels == 0
    }

    /// Values a channel.
    pub(super) fn count(self) -> f64 {
        (self.images * self.pixels) as f64
    }

    /// Channels of a task; the last task may have fewer.
    pub(super) fn run(self) -> usize {
        RUN_FLOATS.div_ceil(self.pixels).min(self.channels)
    }

    /// Cuts a tensor by tasks: for each run of channels, its floats in every image. Of one that is not empty.
    pub(super) fn tasks(self, whole: Piece<'_>) -> Vec<Runs<'_>> {
        whole.runs(self.channels * self.pixels, self.run() * self.pixels)
    }

    /// Channels of the task that begins with channel `first`.
    pub(super) fn channels_of(self, first: usize) -> usize {
        self.run().min(self.channels - first)
    }

    /// The floats, in one image, of the task that begins with channel `first`; those of the next image are sent for.
    #[inline(always)]
    pub(super) fn piece(self, data: &[f32], image: usize, first: usize) -> &[f32] {
        let start = (image * self.channels + first) * self.pixels;
        let piece = &data[start..start + self.channels_of(first) * self.pixels];
        prefetch(piece.as_ptr().wrapping_add(self.channels * self.pixels), piece.len());
        piece
    }
}
