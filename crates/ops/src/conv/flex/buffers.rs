//! The scratch buffers of the convolution, one per thread and purpose.

use barlow_simd::scratch::Slot;

/// The input of a task, channels adjacent.
pub(super) const PACKED: Slot = Slot::A;
/// The output of a tile of channels, or the gradient of the output.
pub(super) const OUTPUT: Slot = Slot::B;
/// The input of a task, transformed.
pub(super) const POINTS: Slot = Slot::C;
/// Products at every point.
pub(super) const PRODUCT: Slot = Slot::D;
