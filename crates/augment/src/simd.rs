//! Runs a hot loop compiled for the vector instructions of the machine it meets.
//!
//! Why: the program is built for the oldest x86-64 (or ARM64), where a vector holds 16 bytes, and most machines have
//! 32 or 64. The loops are plain safe Rust that LLVM vectorises; [`dispatch`] compiles them once for each instruction
//! set and takes the best at run time. No loop may depend on which was taken: floating point operations are never
//! contracted or reordered, so results are equal to the bit, and each kernel is tested so. This file must not know
//! what the loops do.

/// Calls `loops` in a context compiled for the machine's widest vectors. `loops` and all it calls must be
/// `#[inline(always)]`, or they are compiled for the baseline.
#[inline]
pub(crate) fn dispatch<R>(loops: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(loops)
}
