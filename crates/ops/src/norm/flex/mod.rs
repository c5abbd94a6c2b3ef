//! Batch norm on the CPU backend: each task takes a few channels of all images and passes over them twice, once for the sums
//! and once for the result; the second pass finds in the cache what fits.
//!
//! Outputs replace operands that nothing else refers to: x, the residual, the gradient of y. The order of every sum depends on the shape
//! alone, so results are the same bytes for any number of threads. Element types other than f32 use the
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
