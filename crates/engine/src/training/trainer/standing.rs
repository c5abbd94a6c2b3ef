//! Where a run stands, as its report and its results show it.

use crate::checkpoint::Progress;
use crate::evaluation::Accuracy;

/// Where a run stands, without its tensors.
pub struct Standing {
    /// As a checkpoint has it.
    pub progress: Progress,
    /// The evaluation of the network as it is; none without labels, or where it was not evaluated.
    pub accuracy: Option<Accuracy>,
    /// Least value of the loss, where it is known.
    pub loss_floor: Option<f64>,
    /// From start to now, in all sessions.
    pub wall_seconds: f64,
}
