//! Operands and results of pooling.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, IntTensor};

use crate::ConvGeometry;

/// A square pooling window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Pixels on a side (≥ 1).
    pub size: usize,
    /// Stride and padding; the padding is at most half the size, so that every window contains a pixel of the image.
    pub geometry: ConvGeometry,
}

/// Result of [`PoolOps::max_pool2d_forward`](super::PoolOps::max_pool2d_forward).
#[derive(Debug)]
pub struct MaxPooled<B: Backend> {
    /// [N, C, H', W']
    pub y: FloatTensor<B>,
    /// [N, C, H', W']: positions of the maxima, in the backend's own encoding (an index in the image or in the window).
    pub places: IntTensor<B>,
}
