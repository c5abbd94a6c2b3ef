//! The description of a correlation: dimensions and axes, and where its output goes. Data only.

use super::axis::Axis;
use crate::cpu::disjoint_out::DisjointOut;

/// The forward convolution, or its input gradient: both are correlations of an input with the weights.
pub(super) struct Correlation {
    pub images: usize,
    pub channels_in: usize,
    pub channels_out: usize,
    /// Side of the kernel, in pixels.
    pub kernel: usize,
    /// Along the rows of the kernel.
    pub y: Axis,
    /// Along its columns.
    pub x: Axis,
}

impl Correlation {
    /// Floats of the output per image.
    pub fn image_out(&self) -> usize {
        self.channels_out * self.y.size_out * self.x.size_out
    }
}

/// Where an output goes.
#[derive(Clone, Copy)]
pub(super) struct ConvOutput<'a> {
    pub floats: DisjointOut<'a>,
    /// Whether to add to the floats instead of overwriting them.
    pub adds: bool,
}
