//! The library part of the program `train`: device selection and process-wide settings around `barlow-engine`.
//!
//! The command line is in `main.rs` and the modules below it. A custom program uses `barlow-engine` directly.

pub mod allocator;
pub mod device;
