//! Readings that several methods share.

use crate::backend::TrainBackend;
use barlow_loss::{alignment, uniformity, unit_deviation};
use burn::tensor::Tensor;

/// Readings by their names.
pub(super) type NamedReadings<B> = Vec<(&'static str, Tensor<B, 1>)>;

/// Measures of collapse of two views' embeddings: their alignment, and the uniformity and deviation of the first view's.
pub(super) fn of_pair<B: TrainBackend>([z_a, z_b]: [&Tensor<B, 2>; 2]) -> NamedReadings<B> {
    vec![
        ("alignment", alignment(z_a.clone(), z_b.clone())),
        ("uniformity", uniformity(z_a.clone())),
        ("unit_deviation", unit_deviation(z_a.clone())),
    ]
}
