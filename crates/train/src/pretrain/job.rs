//! Everything about a run but its tensors.

use super::start::Opened;
use crate::backend::Selected;
use crate::checkpoint::Checkpoint;
use crate::console::Console;
use crate::plan::Plan;
use crate::run_dir::{RunDir, RunLock};
use crate::sources::Sources;
use crate::stop::StopFlag;
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
    /// Weights to start from, in the place of those that the network has.
    pub weights: Option<Weights>,
    /// Where the person looks.
    pub console: Console,
    /// Whether to stop.
    pub stop: StopFlag,
    /// Whether to tell at the end where the time went; a GPU is then waited for after every phase.
    pub profile: bool,
    /// Keeps other processes away from the run.
    _lock: RunLock,
}

impl Job {
    /// A job that nobody can stop and that tells what it does, with the threads of its config; and where it goes on from.
    pub fn new(plan: Plan, sources: Sources, selected: Selected, opened: Opened) -> (Self, Option<Checkpoint>) {
        let workers = plan.config.data.workers();
        let job = Self {
            plan,
            sources,
            selected,
            workers,
            run: opened.run,
            weights: opened.weights,
            console: Console::new(false),
            stop: StopFlag::default(),
            profile: false,
            _lock: opened.lock,
        };
        (job, opened.checkpoint)
    }
}
