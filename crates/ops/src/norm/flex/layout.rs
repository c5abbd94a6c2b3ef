//! Assignment of channels to tasks, which depends only on the shape.

use barlow_simd::prefetch;
use burn::tensor::TensorMetadata;
use burn_flex::FlexTensor;

use crate::cpu::in_place::{ChannelRuns, InPlaceOrFresh};

/// Minimum number of floats per image and task, in whole channels: several whole cache lines, even for vectors.
const RUN_FLOATS: usize = 256;

/// Shape of the operands, [N, C, …], with the pixels as one axis.
#[derive(Clone, Copy)]
pub(super) struct NormLayout {
    pub(super) images: usize,
    pub(super) channels: usize,
    pub(super) pixels: usize,
}

impl NormLayout {
    pub(super) fn of(x: &FlexTensor) -> Self {
        let shape = x.shape();
        Self {
            images: shape[0],
            channels: shape[1],
            pixels: shape.iter().skip(2).product(),
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.images * self.channels * self.pixels == 0
    }

    /// Values per channel.
    pub(super) fn count(self) -> f64 {
        (self.images * self.pixels) as f64
    }

    /// Channels per task; the last task may have fewer.
    pub(super) fn run(self) -> usize {
        RUN_FLOATS.div_ceil(self.pixels).min(self.channels)
    }

    /// Splits a non-empty tensor into tasks: for each run of channels, its floats in every image.
    pub(super) fn tasks(self, whole: InPlaceOrFresh<'_>) -> Vec<ChannelRuns<'_>> {
        whole.runs(self.channels * self.pixels, self.run() * self.pixels)
    }

    /// Number of channels of the task that starts at channel `first`.
    pub(super) fn channels_of(self, first: usize) -> usize {
        self.run().min(self.channels - first)
    }

    /// The floats in one image of the task that starts at channel `first`; prefetches those of the next image.
    #[inline(always)]
    pub(super) fn piece(self, data: &[f32], image: usize, first: usize) -> &[f32] {
        let start = (image * self.channels + first) * self.pixels;
        let piece = &data[start..start + self.channels_of(first) * self.pixels];
        prefetch(piece.as_ptr().wrapping_add(self.channels * self.pixels), piece.len());
        piece
    }
}
