//! The time that parts of a run take on a device: a training step, the loss, single operations.
//!
//! Values are noise: they do not affect the time. The host waits for the device before the clock is read.

mod cost;
mod loss;
mod noise;
mod operation;
mod repeats;
mod step;
mod workload;

pub use cost::Cost;
pub use loss::LossWorkload;
pub use operation::{ConvPass, OperationWorkload};
pub use repeats::{Repeats, Timing};
pub use step::StepWorkload;
pub use workload::Workload;
