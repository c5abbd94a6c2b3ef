//! A checkpoint: everything that a run needs to resume, in one safetensors file.
//!
//! How it is written stands in `file.rs`, which of a run's checkpoints are retained and read in `folder.rs`.
//! Knows nothing of backends: tensors are on the host.

#[expect(clippy::module_inception, reason = "the struct that the module is named after")]
mod checkpoint;
mod file;
mod folder;
mod progress;

pub use checkpoint::Checkpoint;
pub use folder::{Damaged, Kept};
pub use progress::Progress;
