//! The forms on the CPU backend, each fused with the standardisation before it and the gradient of the standardisation after it.
//!
//! The work is split into blocks of features. A block is copied from the embeddings to contiguous memory that fits in the core's
//! cache, and is standardised and multiplied there. The embeddings are therefore read from memory once forward and once backward,
//! and no standardised copy of them is stored (`direct` stores one for its products). The order of every sum depends on the shape
//! and the number of threads, never on scheduling. f32 only, like all of [`LossOps`](super::LossOps).

mod buffers;
mod columns;
mod diagonal;
mod direct;
mod gradient;
mod gram;
mod matmul;
mod ops;
mod rows;
mod sums;
mod tensors;
#[cfg(test)]
mod tests;
