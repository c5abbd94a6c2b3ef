//! Batch norm with the statistics of a batch that is spread over several ranks: what they exchange, forward and backward.
//!
//! A rank computes the sums over its own part; one exchange in each direction adds them up, in f64 on the host. The gradients of
//! weight and bias stay the rank's own share: summed over the ranks with all other gradients, they are those of the whole batch.

use std::fmt::Debug;
use std::sync::Arc;

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Tensor, TensorData, TensorMetadata};

use super::tensors::{unwrap, wrap};
use super::{Normalized, Statistics};

/// The ranks whose parts of a batch are normalised together.
///
/// Every rank must run the same norms in the same order. An implementation that cannot sum panics: there is no way to return an
/// error from a backward pass.
pub trait NormPeers: Debug + Send + Sync {
    /// Replaces each value by its sum over all ranks; the results must have the same bytes on every rank.
    fn sum(&self, values: &mut [f64]);
}

/// Result of [`NormOps::batch_norm_synced_forward`](super::NormOps::batch_norm_synced_forward).
#[derive(Debug)]
pub struct SyncedNormalized<B: Backend> {
    /// This rank's y, and the statistics of the whole batch.
    pub normalized: Normalized<B>,
    /// Values of a channel on all ranks together.
    pub count: f64,
}

/// Mean and biased variance of the whole batch from those of this rank's part `x`, and the values of a channel on all ranks.
pub(super) fn whole_statistics<B: Backend>(
    x: &FloatTensor<B>,
    own: Statistics<B>,
    peers: &Arc<dyn NormPeers>,
) -> (Statistics<B>, f64) {
    let options = options::<B>(x);
    let values = values_per_channel::<B>(x);
    let (mean, variance) = (host::<B>(own.mean), host::<B>(own.variance));
    // The count, then Σx and Σx² of each channel. f64 has digits to spare for their difference, however large the mean is.
    let squares = mean
        .iter()
        .zip(&variance)
        .map(|(mean, variance)| values * (variance + mean * mean));
    let sums = std::iter::once(values).chain(mean.iter().map(|mean| values * mean));
    let mut sums: Vec<f64> = sums.chain(squares).collect();
    peers.sum(&mut sums);
    let (count, sums) = (sums[0], &sums[1..]);
    let (sums, squares) = sums.split_at(mean.len());
    let mean: Vec<f64> = sums.iter().map(|sum| sum / count).collect();
    let variance = squares.iter().zip(&mean).map(|(square, mean)| {
        let variance = square / count - mean * mean;
        // Negative only through rounding; NaN stays NaN.
        if variance < 0.0 { 0.0 } else { variance }
    });
    let variance = variance.collect();
    let statistics = Statistics {
        mean: device::<B>(mean, &options),
        variance: device::<B>(variance, &options),
    };
    (statistics, count)
}

/// The means of dy and dy·x̂ over the whole batch from their sums over this rank's part, whose norm's input was `x`.
pub(super) fn whole_means<B: Backend>(
    x: &FloatTensor<B>,
    sums: &[FloatTensor<B>; 2],
    peers: &Arc<dyn NormPeers>,
) -> [FloatTensor<B>; 2] {
    let options = options::<B>(x);
    let sums = sums.each_ref().map(|sums| host::<B>(sums.clone()));
    let own = values_per_channel::<B>(x);
    let mut all: Vec<f64> = std::iter::once(own).chain(sums.into_iter().flatten()).collect();
    peers.sum(&mut all);
    let (count, sums) = (all[0], &all[1..]);
    let (of_bias, of_weight) = sums.split_at(sums.len() / 2);
    [of_bias, of_weight].map(|sums| {
        let means = sums.iter().map(|sum| sum / count);
        device::<B>(means.collect(), &options)
    })
}

fn values_per_channel<B: Backend>(x: &FloatTensor<B>) -> f64 {
    let shape = x.shape();
    (shape.num_elements() / shape[1]) as f64
}

fn options<B: Backend>(x: &FloatTensor<B>) -> (B::Device, DType) {
    (B::float_device(x), x.dtype())
}

fn host<B: Backend>(vector: FloatTensor<B>) -> Vec<f64> {
    let data = wrap::<B, 1>(vector).into_data().convert::<f64>();
    data.into_vec().expect("converted to f64 above")
}

fn device<B: Backend>(values: Vec<f64>, (device, dtype): &(B::Device, DType)) -> FloatTensor<B> {
    let length = values.len();
    let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
    unwrap(Tensor::<B, 1>::from_data(
        TensorData::new(values, [length]),
        (device, *dtype),
    ))
}
