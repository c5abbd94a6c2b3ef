//! The plan of a run, made before its first step: steps and rates, memory, the device's limits.

mod device_limits;
mod memory;
mod parameters;
mod report;
mod run_plan;
mod schedule;

pub use memory::{Memory, loader_config};
pub use parameters::Parameters;
pub use run_plan::Plan;
pub use schedule::{Decay, Schedule, Warmup, WarmupTooLong};
