//! The conformance suite: everything that a run computes on a device, compared with the CPU.
//!
//! Operations and losses are compared with plain operations of Burn's and its own gradients on the CPU, so that the CPU's own
//! kernels are checked too; a training step and the optimisers with the CPU's.

mod case;
mod comparison;
mod losses;
mod methods;
mod operations;
mod training;
mod values;

pub use case::{Case, cases, large_cases};
pub use comparison::{Comparison, compare};
pub use values::{By, Measured, Reference, Values};
