//! A prepared run whose backend is erased.

use crate::backend::TrainBackend;
use crate::error::RunError;
use crate::plan::Plan;
use crate::run::PreparedRun;
use crate::summary::Summary;
use crate::training::TrainBackbone;
use std::path::Path;

/// A run with a finished plan and an untouched folder: [`PreparedRun`] without its types.
pub trait PreparedTraining {
    /// The run's folder.
    fn root(&self) -> &Path;

    /// The plan; `None` for a finished run.
    fn plan(&self) -> Option<&Plan>;

    /// The lines of the plan and of what it means on this device; empty for a finished run.
    fn report(&self) -> Vec<String>;

    /// Opens the run's folder, trains the remaining steps, evaluates, and writes the results.
    ///
    /// # Errors
    /// As [`PreparedRun::open`] and [`OpenRun::train`](crate::run::OpenRun::train).
    fn train(self: Box<Self>) -> Result<Summary, RunError>;
}

impl<B: TrainBackend, M: TrainBackbone<B>> PreparedTraining for PreparedRun<'_, B, M> {
    fn root(&self) -> &Path {
        self.root()
    }

    fn plan(&self) -> Option<&Plan> {
        self.plan()
    }

    fn report(&self) -> Vec<String> {
        self.report()
    }

    fn train(self: Box<Self>) -> Result<Summary, RunError> {
        self.open()?.train()
    }
}
