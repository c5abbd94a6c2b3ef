//! The context of a run: everything but its tensors.

use crate::backend::DeviceLabel;
use crate::console::Console;
use crate::plan::Plan;
use crate::run_dir::{RunDir, RunLock};
use crate::sources::Sources;
use crate::stop::StopFlag;
use std::path::PathBuf;
use std::sync::Arc;

/// The context of a run: everything but its tensors.
pub struct RunContext {
    /// What the run does.
    pub plan: Plan,
    /// The images.
    pub sources: Sources,
    /// The device.
    pub device: DeviceLabel,
    /// The run's folder.
    pub run: RunDir,
    /// Prints messages.
    pub console: Arc<dyn Console>,
    /// Set when the run should stop.
    pub stop: StopFlag,
    /// A folder in which runs share untrained evaluations.
    pub baselines: Option<PathBuf>,
    /// Keeps other processes out of the run's folder; rank 0 alone has it.
    pub(crate) _lock: Option<RunLock>,
}
