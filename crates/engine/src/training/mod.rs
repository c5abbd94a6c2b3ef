//! The training loop: a step's gradients in one pass (`step.rs`) or micro-batch by micro-batch (`cached.rs`), the teacher, the
//! loop around them (`trainer`), and measurements.

mod backbone;
mod cached;
mod collapse;
mod interval;
mod loss_stage;
mod online_probe;
mod pending;
mod profile;
mod rows;
mod shared_baseline;
mod step;
mod step_context;
mod teacher;
mod trainer;
mod whole_set;

pub use backbone::TrainBackbone;
pub use cached::cached_step_gradients;
pub use online_probe::OnlineProbe;
pub use pending::PendingReadings;
pub use profile::{Phase, Profile};
pub(crate) use shared_baseline::SharedBaseline;
pub use step::{StepGradients, step_gradients};
pub use step_context::StepContext;
pub use teacher::Teacher;
pub use trainer::{FinishedTraining, Standing, Trainer, TrainerParts};
