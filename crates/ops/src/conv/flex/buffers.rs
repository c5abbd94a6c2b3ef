//! Scratch buffers of the convolution, one per thread and purpose.

use barlow_simd::scratch::Slot;

/// The input of a task, channels adjacent.
pub(super) const PACKED: Slot = Slot::A;
/// The output of a tile of channels, or the output gradient.
pub(super) const OUTPUT: Slot = Slot::B;
/// The input of a task, transformed.
pub(super) const POINTS: Slot = Slot::C;
/// The products at every point.
pub(super) const PRODUCT: Slot = Slot::D;
