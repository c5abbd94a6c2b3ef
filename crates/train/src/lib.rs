//! The program `train` around `barlow-engine`: which device a run takes, and what belongs to a process.
//!
//! The command line is in `main.rs` and the modules below it. A program of your own uses `barlow-engine` directly.

pub mod allocator;
pub mod device;
