//! Everything about a run but its tensors.

use crate::backend::DeviceLabel;
use crate::console::Console;
use crate::plan::Plan;
use crate::run_dir::{RunDir, RunLock};
use crate::sources::Sources;
use crate::stop::StopFlag;
use std::sync::Arc;

/// Everything about a run but its tensors.
pub struct RunContext {
    /// What to do.
    pub plan: Plan,
    /// On which images.
    pub sources: Sources,
    /// On which device.
    pub device: DeviceLabel,
    /// Where everything is written.
    pub run: RunDir,
    /// Where messages go.
    pub console: Arc<dyn Console>,
    /// Whether to stop.
    pub stop: StopFlag,
    /// Keeps other processes away from the run.
    pub(crate) _lock: RunLock,
}
