//! Whether a backend computes what it should: everything that a run computes on a device, compared with the CPU.
//!
//! Operations and losses are compared with plain operations of Burn's and its own gradients on the CPU, so that the CPU's own kernels
//! are checked too; a training step and the optimisers with the CPU's.

mod comparison;
mod losses;
mod operations;
mod suites;
mod training;

pub use comparison::Comparison;
pub use suites::run;
