//! Layer norm, GELU and softmax on the CPU backend: one pass over each row, which stays in the cache, and outputs in place of
//! unshared operands.
//!
//! Sums have 16 lanes on every machine, and rows are assigned to tasks by the shape alone, so results do not depend on the number of
//! threads or on the instruction set. Element types other than f32 use the [reference](super::reference).

mod exponential;
mod gelu;
mod layer_norm;
mod ops;
mod rows;
mod softmax;
#[cfg(test)]
mod tests;
