//! The cases of the suite, and what each is compared with.

use super::values::{By, Reference, Values};
use super::{losses, methods, operations, training};
use crate::backend::TrainBackend;

/// Something that a run computes on a device.
#[derive(Clone, Debug)]
pub struct Case {
    kind: Kind,
    large: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    Operation(operations::Operation),
    Loss(losses::LossCase),
    Method(methods::MethodCase),
    Training(training::Part),
}

/// All cases, in the order in which they are reported.
pub fn cases() -> Vec<Case> {
    let operations = operations::all().into_iter().map(Kind::Operation);
    let losses = losses::ALL.into_iter().map(Kind::Loss);
    let methods = methods::all().map(Kind::Method);
    let training = training::all().into_iter().map(Kind::Training);
    let kinds = operations.chain(losses).chain(methods).chain(training);
    kinds.map(|kind| Case { kind, large: false }).collect()
}

/// Operations and losses at the shapes of real networks, for which a GPU takes other kernels than for small ones. Not in
/// [`cases`]: a software driver takes minutes for each.
pub fn large_cases() -> Vec<Case> {
    let operations = operations::large().into_iter().map(Kind::Operation);
    let kinds = operations.chain(losses::LARGE.into_iter().map(Kind::Loss));
    kinds.map(|kind| Case { kind, large: true }).collect()
}

impl Case {
    /// Computes the case on a device.
    pub fn values<B: TrainBackend>(&self, by: By, device: &B::Device) -> Values {
        match &self.kind {
            Kind::Operation(operation) => operation.values::<B>(by, device),
            Kind::Loss(loss) => loss.values::<B>(by, device),
            Kind::Method(method) => method.values::<B>(by, device),
            Kind::Training(part) => part.values::<B>(by, device),
        }
    }

    /// What it is compared with.
    pub fn reference(&self) -> Reference {
        match &self.kind {
            Kind::Training(part) => part.reference(),
            Kind::Operation(_) | Kind::Loss(_) | Kind::Method(_) => Reference::Cpu,
        }
    }

    /// The largest relative difference that rounding explains.
    pub(super) fn bound(&self) -> f64 {
        match &self.kind {
            Kind::Operation(_) if self.large => operations::LARGE_BOUND,
            Kind::Operation(_) => operations::BOUND,
            Kind::Loss(_) => losses::BOUND,
            Kind::Method(_) => methods::BOUND,
            Kind::Training(part) => part.bound(),
        }
    }
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use crate::conformance::compare;
    use burn::backend::Autodiff;
    use burn_flex::{Flex, FlexDevice};

    #[test]
    fn the_operations_and_a_vit_hold_on_the_cpu() {
        let quick = |case: &Case| matches!(case.kind, Kind::Operation(_) | Kind::Training(training::Part::Vit));
        for case in cases().iter().filter(|case| quick(case)) {
            let values = |by| case.values::<Autodiff<Flex>>(by, &FlexDevice);
            for comparison in compare(case, values(By::Backend), values(By::Definition)) {
                assert!(comparison.holds(), "{comparison:?}");
            }
        }
    }
}
