//! Scratch buffers of the forms, one per thread and purpose.

use barlow_simd::scratch::Slot;

/// A standardised block of view a.
pub(super) const BLOCK_A: Slot = Slot::A;
/// A standardised block of view b.
pub(super) const BLOCK_B: Slot = Slot::B;
/// A product with one of the blocks.
pub(super) const PRODUCT: Slot = Slot::C;
