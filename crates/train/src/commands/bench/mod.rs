//! The `bench` commands: the time of a training step, of the loss and of single operations on a device.

pub mod loss;
mod measure;
pub mod ops;
pub mod step;
mod table;

pub use measure::BenchOptions;
