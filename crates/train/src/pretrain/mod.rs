//! Pre-training from the first step to the report: the loop is in `trainer`, a step's gradients in `step.rs` (at once) and
//! `cached.rs` (micro-batch by micro-batch), the end in `finish.rs`; `start.rs` opens a run's folder.

mod cached;
mod curves;
mod evaluate;
mod finish;
mod interval;
mod job;
mod online;
mod parts;
mod profile;
mod resume;
mod start;
mod step;
mod trainer;

pub use cached::cached_step_gradients;
#[cfg(feature = "cpu")]
pub(crate) use evaluate::to_host;
pub use evaluate::{Accuracy, accuracy, evaluation_chunk};
pub use finish::write_report;
pub use job::Job;
pub use online::OnlineProbe;
pub use parts::{Parts, TrainBackbone, TwinLoss};
pub use profile::{Phase, Profile};
pub use start::{Opened, Start};
pub use step::{PendingValues, StepGradients, step_gradients};

use crate::backend::TrainBackend;
use crate::checkpoint::Checkpoint;
use crate::error::AppError;
use crate::summary::Summary;

/// Runs a job from its start or from `checkpoint` to its end.
///
/// # Errors
/// [`AppError::Interrupted`] after a checkpoint was written; [`AppError::Failed`] else. What was computed before the last
/// checkpoint is kept in both cases.
pub fn pretrain<'a, B: TrainBackend, M: TrainBackbone<B>, L: TwinLoss<B>>(
    job: &'a Job,
    device: &B::Device,
    parts: Parts<'a, B, M, L>,
    checkpoint: Option<Checkpoint>,
) -> Result<Summary, AppError> {
    let profile = profile::<B>(job, device);
    let mut trainer = trainer::Trainer::new(job, &profile, device.clone(), parts, checkpoint)?;
    let before = trainer.steps();
    let outcome = trainer.run();
    job.console.finish();
    let steps = trainer.steps() - before;
    let outcome = outcome.and_then(|()| Ok(trainer.finish()?));
    // An interrupted run has spent time too.
    for line in profile.table(steps) {
        job.console.asked(&line);
    }
    outcome
}

fn profile<B: TrainBackend>(job: &Job, device: &B::Device) -> Profile {
    if !job.profile {
        return Profile::off();
    }
    let device = device.clone();
    // A device that has failed says so where the next value is read.
    Profile::new(move || drop(B::sync(&device)))
}
