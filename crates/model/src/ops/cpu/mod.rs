//! What the CPU backend's loops share: the machine's vectors, and memory that is written once or by many.

pub(super) mod memory;
pub(super) mod places;
pub(super) mod simd;
