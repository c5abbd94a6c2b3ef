//! Pre-training from the first step to the report: the loop is in `trainer.rs`, one step in `step.rs`, the end in
//! `finish.rs`.

mod evaluate;
mod finish;
mod interval;
mod step;
mod trainer;

pub use evaluate::{Accuracy, accuracy};
pub use finish::write_report;
pub use step::{PendingValues, step_gradients, train_step};

use crate::backend::{Selected, TrainBackend};
use crate::checkpoint::Checkpoint;
use crate::console::Console;
use crate::error::AppError;
use crate::plan::Plan;
use crate::run_dir::RunDir;
use crate::sources::Sources;
use crate::stop::StopFlag;
use crate::summary::Summary;

/// Everything about a run but its tensors.
pub struct Job {
    /// What to do.
    pub plan: Plan,
    /// On which images.
    pub sources: Sources,
    /// On which device.
    pub selected: Selected,
    /// Threads that make views.
    pub workers: usize,
    /// Where everything is written.
    pub run: RunDir,
    /// Where the person looks.
    pub console: Console,
    /// Whether to stop.
    pub stop: StopFlag,
}

/// Runs a job from its start or from `checkpoint` to its end.
///
/// # Errors
/// [`AppError::Interrupted`] after a checkpoint was written; [`AppError::Failed`] else. What was computed before the last
/// checkpoint is kept in both cases.
pub fn pretrain<B: TrainBackend>(
    job: &Job,
    device: &B::Device,
    checkpoint: Option<Checkpoint>,
) -> Result<Summary, AppError> {
    let mut trainer = trainer::Trainer::<B>::new(job, device.clone(), checkpoint)?;
    let outcome = trainer.run();
    job.console.finish();
    outcome?;
    Ok(trainer.finish()?)
}
