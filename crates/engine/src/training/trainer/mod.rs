//! The training loop: batches in, steps. What it logs stands in `logging.rs`, what it saves in `checkpointing.rs`.

mod checkpointing;
mod logging;
mod moment;
mod standing;
#[expect(clippy::module_inception, reason = "the struct that the module is named after")]
mod trainer;

pub use checkpointing::FinishedTraining;
pub use standing::Standing;
pub use trainer::{Trainer, TrainerParts};
