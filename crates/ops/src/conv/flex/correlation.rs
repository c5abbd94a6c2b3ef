//! Description of a correlation: dimensions, axes and output buffer. Plain data.

use super::axis::Axis;
use crate::cpu::disjoint_out::DisjointOut;

/// The forward convolution, or its input gradient: both are correlations of an input with the weights.
pub(super) struct Correlation {
    pub images: usize,
    pub channels_in: usize,
    pub channels_out: usize,
    /// Side of the kernel, in pixels.
    pub kernel: usize,
    /// The vertical axis, along the rows of the kernel.
    pub y: Axis,
    /// The horizontal axis, along its columns.
    pub x: Axis,
}

impl Correlation {
    /// Number of output floats per image.
    pub fn image_out(&self) -> usize {
        self.channels_out * self.y.size_out * self.x.size_out
    }
}

/// Where the output is written.
#[derive(Clone, Copy)]
pub(super) struct ConvOutput<'a> {
    pub floats: DisjointOut<'a>,
    /// Whether to add to the floats instead of overwriting them.
    pub adds: bool,
}
