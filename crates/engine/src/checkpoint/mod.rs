//! A checkpoint: everything that a run needs to resume, in one safetensors file.
//!
//! `file.rs` defines the file, `folder.rs` which of a run's checkpoints are retained and read. Independent of backends: tensors
//! are on the host.

#[expect(clippy::module_inception, reason = "the struct that the module is named after")]
mod checkpoint;
mod file;
mod folder;
mod progress;
mod streamed;

pub use checkpoint::Checkpoint;
pub use folder::{Damaged, Kept, NoCheckpoint};
pub use progress::Progress;
pub(crate) use streamed::write_weights;
