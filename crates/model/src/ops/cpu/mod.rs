//! What the CPU backend's loops share: the machine's vectors, and memory that is written once.

pub(super) mod memory;
pub(super) mod simd;
