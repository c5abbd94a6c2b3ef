//! Pre-training from the first step to the report: the loop is in `trainer`, a step's gradients in `step.rs` (at once) and
//! `cached.rs` (micro-batch by micro-batch), the end in `finish.rs`.

mod cached;
mod evaluate;
mod finish;
mod interval;
mod online;
mod profile;
mod step;
mod trainer;

pub use cached::cached_step_gradients;
pub use evaluate::{Accuracy, accuracy};
pub use finish::write_report;
pub use online::OnlineProbe;
pub use profile::{Phase, Profile};
pub use step::{PendingValues, StepGradients, step_gradients};

use crate::backend::{Selected, TrainBackend};
use crate::checkpoint::Checkpoint;
use crate::console::Console;
use crate::error::AppError;
use crate::metrics::MetricsSink;
use crate::plan::Plan;
use crate::run_dir::RunDir;
use crate::sources::Sources;
use crate::stop::StopFlag;
use crate::summary::Summary;
use crate::weights::Weights;

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
    /// Weights to start from, in the place of drawn ones.
    pub weights: Option<Weights>,
    /// Where the person looks.
    pub console: Console,
    /// Whether to stop.
    pub stop: StopFlag,
    /// Whether to tell at the end where the time went; a GPU is then waited for after every phase.
    pub profile: bool,
}

/// Runs a job from its start or from `checkpoint` to its end. `sinks` are told what `metrics.jsonl` and TensorBoard are.
///
/// # Errors
/// [`AppError::Interrupted`] after a checkpoint was written; [`AppError::Failed`] else. What was computed before the last
/// checkpoint is kept in both cases.
pub fn pretrain<'a, B: TrainBackend>(
    job: &'a Job,
    device: &B::Device,
    checkpoint: Option<Checkpoint>,
    sinks: Vec<Box<dyn MetricsSink + 'a>>,
) -> Result<Summary, AppError> {
    let profile = profile::<B>(job, device);
    let mut trainer = trainer::Trainer::<B>::new(job, &profile, device.clone(), checkpoint, sinks)?;
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
