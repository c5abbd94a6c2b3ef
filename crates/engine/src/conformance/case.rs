//! The cases of the suite, and what each is compared with.

use super::values::{By, Reference, Values};
use super::{losses, operations, training};
use crate::backend::TrainBackend;

/// Something that a run computes on a device.
#[derive(Clone, Debug)]
pub struct Case(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Operation(operations::Operation),
    Loss(losses::LossCase),
    Training(training::Part),
}

/// All cases, in the order in which they are reported.
pub fn cases() -> Vec<Case> {
    let operations = operations::all().into_iter().map(Kind::Operation);
    let losses = losses::ALL.into_iter().map(Kind::Loss);
    let training = training::all().into_iter().map(Kind::Training);
    operations.chain(losses).chain(training).map(Case).collect()
}

impl Case {
    /// Computes the case on a device.
    pub fn values<B: TrainBackend>(&self, by: By, device: &B::Device) -> Values {
        match &self.0 {
            Kind::Operation(operation) => operation.values::<B>(by, device),
            Kind::Loss(loss) => loss.values::<B>(by, device),
            Kind::Training(part) => part.values::<B>(by, device),
        }
    }

    /// What it is compared with.
    pub fn reference(&self) -> Reference {
        match &self.0 {
            Kind::Training(part) => part.reference(),
            Kind::Operation(_) | Kind::Loss(_) => Reference::Cpu,
        }
    }

    /// The largest relative difference that rounding explains.
    pub(super) fn bound(&self) -> f64 {
        match &self.0 {
            Kind::Operation(_) => operations::BOUND,
            Kind::Loss(_) => losses::BOUND,
            Kind::Training(part) => part.bound(),
        }
    }
}
