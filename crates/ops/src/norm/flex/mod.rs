//! Batch norm on the CPU backend: each task takes a few channels of all images and makes two passes over them, one for the sums
//! and one for the result; in the second pass, whatever fits is still in the cache.
//!
//! Outputs are written in place of unshared operands: x, the residual, the gradient of y. The order of every sum depends only on
//! the shape, so results are bitwise equal for any number of threads. Element types other than f32 use the
//! [reference](super::reference).

mod backward;
mod eval;
mod formula;
mod forward;
mod layout;
mod map;
mod ops;
mod part;
#[cfg(test)]
mod raw_kernels;
mod sums;
#[cfg(test)]
mod tests;
