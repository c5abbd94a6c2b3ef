//! Instruction-set dispatch for CPU kernels, scratch buffers that threads retain between calls, and the sizes of the caches.
//!
//! The program is built for the baseline of its target (x86-64: SSE2, four floats per vector). Kernels are compiled once more for
//! each wider instruction set, and [`Level`] selects the best one that the CPU supports at run time. A kernel is either
//! - a struct that implements [`WithSimd`]: generic over explicit vectors, or
//! - a function in [`vectorised!`]: a plain loop that the compiler vectorises.
//!
//! Everything that a kernel calls in its loops must be `#[inline(always)]`; other functions are compiled for the baseline.
//! Closures cannot have this attribute and should stay small.
//!
//! # Numerics
//!
//! The compiler never reorders floating-point operations and never contracts a product and a sum, so a plain loop gives the same bytes
//! at every level. Kernels on explicit vectors do so too if the number of independent sums does not depend on the vector's length and
//! they avoid [`Simd::mul_add_e_f32s`], which rounds once or twice depending on the level.
//!
//! # Tests at other levels
//!
//! Kernels are tested at all of [`Level::ALL`]: pass a level to the kernel, or run code under [`Level::scope`].
//!
//! This crate must not depend on Burn, nor know what the kernels compute.

mod cache;
mod level;
mod prefetch;
pub mod scratch;
mod vectorised;

pub use cache::CacheSizes;
pub use level::Level;
pub use prefetch::prefetch;
/// The traits of kernels and vectors, from the `pulp` crate: dependents need no dependency of their own.
pub use pulp::{NullaryFnOnce, Simd, WithSimd};
