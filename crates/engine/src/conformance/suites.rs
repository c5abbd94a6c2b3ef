//! All suites, one after the other.

use super::{Comparison, losses, operations, training};
use crate::backend::TrainBackend;

/// Compares everything, and reports each comparison as soon as it is made.
pub fn run<B: TrainBackend>(device: &B::Device, report: &mut dyn FnMut(&Comparison)) {
    for suite in [operations::suite::<B>, losses::suite::<B>, training::suite::<B>] {
        suite(device, report);
    }
}
