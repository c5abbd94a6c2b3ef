//! `cargo xtask cuda-check --ledger`: what a training step launches, reads and writes, and how fast it could be on named GPUs.
//!
//! The program trains twice, for two steps and for four, and what the second run launches more, halved, is a step. Evaluation,
//! checkpoints and the first step are the same in both, and a run before them tunes. On the stub CUDA driver each launch is
//! recorded with the sizes of its buffers; on WGPU, CubeCL's own log gives names and times.

mod gpus;
mod kind;
mod launches;
mod roofline;
mod runs;
mod summary;
mod wgpu_log;

pub use runs::{LedgerOptions, run};
