//! Everything that can be timed, as one type.

use super::cost::Cost;
use super::loss::LossWorkload;
use super::operation::OperationWorkload;
use super::repeats::{Repeats, Timing};
use super::step::StepWorkload;
use crate::backend::TrainBackend;

/// What is timed.
#[derive(Clone, Debug)]
pub enum Workload {
    /// A training step without the optimiser.
    Step(StepWorkload),
    /// The loss and its gradients.
    Loss(LossWorkload),
    /// A single operation.
    Operation(OperationWorkload),
}

impl Workload {
    /// Times the work on a device: once, `warm_up` times more, then `counted` times (≥ 1).
    pub fn time<B: TrainBackend>(&self, repeats: Repeats, device: &B::Device) -> Timing {
        match self {
            Self::Step(step) => step.time::<B>(repeats, device),
            Self::Loss(loss) => loss.time::<B>(repeats, device),
            Self::Operation(operation) => operation.time::<B>(repeats, device),
        }
    }

    /// What the work needs at least: arithmetic operations and bytes of memory traffic.
    pub fn cost(&self) -> Cost {
        match self {
            Self::Step(step) => step.cost(),
            Self::Loss(loss) => loss.cost(),
            Self::Operation(operation) => operation.cost(),
        }
    }
}
