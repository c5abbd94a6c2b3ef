//! The batch norm trait [`NormOps`] and the functions on tensors.
//!
//! Separate tensor ops would each pass over the whole batch and store their result. One operation needs fewer passes, which find
//! the data in the cache. Running statistics belong to the layer, not to this module.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

use super::tensors::{unwrap, wrap};
use super::{
    Affine, Epilogue, NormGradients, NormPeers, NormSaved, Normalized, Statistics, SyncedNormalized, reference, synced,
};

/// Batch norm, overridable per backend. `x`, residuals and outputs are [N, C, …] of rank 2 or more, vectors per channel `[C]`; all
/// are f32 or all of one other float type. The shape is that of the network's maps, so that a backend whose maps are channels last
/// in memory has nothing to rearrange.
pub trait NormOps: Backend {
    /// y = epilogue((x − mean) / √(variance + epsilon) · weight + bias) with the mean and biased variance of each channel.
    fn batch_norm_forward(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
    ) -> Normalized<Self> {
        reference::forward(x, affine, epsilon, epilogue)
    }

    /// The gradients of [`batch_norm_forward`](Self::batch_norm_forward) with respect to its operands, from the gradient of y,
    /// including the gradient through the statistics. The residual's gradient is computed only if `wants_residual` is set and
    /// there is one.
    fn batch_norm_backward(
        saved: NormSaved<Self>,
        output_gradient: FloatTensor<Self>,
        wants_residual: bool,
    ) -> NormGradients<Self> {
        reference::backward(saved, output_gradient, wants_residual)
    }

    /// The same y with given statistics, which receive no gradient. Under autodiff the other operands receive gradients.
    fn batch_norm_eval(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        statistics: Statistics<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        reference::eval(x, affine, statistics, epsilon, epilogue)
    }

    /// [`batch_norm_forward`](Self::batch_norm_forward) of this rank's part of a batch with the statistics of the whole batch.
    /// Under autodiff the backward pass is synchronised, too.
    fn batch_norm_synced_forward(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
        peers: &Arc<dyn NormPeers>,
    ) -> SyncedNormalized<Self> {
        let own = Self::batch_norm_statistics(x.clone());
        let (statistics, count) = synced::whole_statistics::<Self>(&x, own, peers);
        let y = Self::batch_norm_with(x, affine, statistics.clone(), epsilon, epilogue);
        SyncedNormalized {
            normalized: Normalized { y, statistics },
            count,
        }
    }

    /// Mean and biased variance of each channel.
    fn batch_norm_statistics(x: FloatTensor<Self>) -> Statistics<Self> {
        reference::statistics(x)
    }

    /// y of [`batch_norm_forward`](Self::batch_norm_forward), bit for bit, if its statistics are given.
    fn batch_norm_with(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        statistics: Statistics<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        reference::with(x, affine, statistics, epsilon, epilogue)
    }

    /// The gradient of y, masked or not, and the gradients of bias and weight, Σdy and Σdy·x̂.
    fn batch_norm_gradient_sums(
        saved: &NormSaved<Self>,
        output_gradient: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, [FloatTensor<Self>; 2]) {
        reference::gradient_sums(saved, output_gradient)
    }

    /// The gradients of x and the residual from [`batch_norm_gradient_sums`](Self::batch_norm_gradient_sums)' gradient of y and the
    /// means of dy and dy·x̂ over the batch.
    fn batch_norm_input_gradient(
        saved: NormSaved<Self>,
        output_gradient: FloatTensor<Self>,
        means: [FloatTensor<Self>; 2],
        wants_residual: bool,
    ) -> (FloatTensor<Self>, Option<FloatTensor<Self>>) {
        reference::input_gradient(saved, output_gradient, means, wants_residual)
    }
}

/// Batch norm with the statistics of the batch: returns (y, mean, biased variance).
///
/// A missing weight is 1, a missing bias is 0. Under autodiff y carries the whole gradient, including that through the
/// statistics; mean and variance are returned as constants, for running statistics and logs.
///
/// # Shapes
/// - `x`, a residual: [N, C, …]; `weight`, `bias`: `[C]`
/// - returns `[N, C, …]`, `[C]`, `[C]`
///
/// # Panics
/// If weight or bias have a different number of channels, the residual has a different shape, or a channel has no values.
pub fn batch_norm_train<B: NormOps, const D: usize>(
    x: Tensor<B, D>,
    weight: Option<Tensor<B, 1>>,
    bias: Option<Tensor<B, 1>>,
    epsilon: f64,
    epilogue: Epilogue<Tensor<B, D>>,
) -> (Tensor<B, D>, Tensor<B, 1>, Tensor<B, 1>) {
    assert_has_values(&x);
    let (affine, epilogue) = operands(&x, weight, bias, epilogue);
    let Normalized { y, statistics } = B::batch_norm_forward(unwrap(x), affine, epsilon, epilogue);
    (wrap(y), wrap(statistics.mean), wrap(statistics.variance))
}

/// [`batch_norm_train`] of this rank's part of a batch that is spread over `peers`, with the statistics of the whole batch; also
/// returns the number of values of a channel on all ranks together.
///
/// Gradients of weight and bias are this rank's share: summed over the ranks they are those of the whole batch.
///
/// # Panics
/// As [`batch_norm_train`], and if `peers` cannot sum.
pub fn batch_norm_synced<B: NormOps, const D: usize>(
    x: Tensor<B, D>,
    weight: Option<Tensor<B, 1>>,
    bias: Option<Tensor<B, 1>>,
    epsilon: f64,
    epilogue: Epilogue<Tensor<B, D>>,
    peers: &Arc<dyn NormPeers>,
) -> (Tensor<B, D>, [Tensor<B, 1>; 2], f64) {
    assert_has_values(&x);
    let (affine, epilogue) = operands(&x, weight, bias, epilogue);
    let SyncedNormalized { normalized, count } =
        B::batch_norm_synced_forward(unwrap(x), affine, epsilon, epilogue, peers);
    let Normalized { y, statistics } = normalized;
    (wrap(y), [wrap(statistics.mean), wrap(statistics.variance)], count)
}

/// Batch norm with given statistics, each `[C]`; the variance is used as given. Otherwise the same as [`batch_norm_train`].
///
/// # Panics
/// If a vector has a different number of channels, or the residual has a different shape.
pub fn batch_norm_eval<B: NormOps, const D: usize>(
    x: Tensor<B, D>,
    weight: Option<Tensor<B, 1>>,
    bias: Option<Tensor<B, 1>>,
    [mean, variance]: [Tensor<B, 1>; 2],
    epsilon: f64,
    epilogue: Epilogue<Tensor<B, D>>,
) -> Tensor<B, D> {
    let channels = x.dims()[1];
    assert!(
        mean.dims() == [channels] && variance.dims() == [channels],
        "batch norm: x of shape {:?}, but mean {:?} and variance {:?}",
        x.dims(),
        mean.dims(),
        variance.dims(),
    );
    let (affine, epilogue) = operands(&x, weight, bias, epilogue);
    let statistics = Statistics {
        mean: unwrap(mean),
        variance: unwrap(variance),
    };
    wrap(B::batch_norm_eval(unwrap(x), affine, statistics, epsilon, epilogue))
}

fn assert_has_values<B: Backend, const D: usize>(x: &Tensor<B, D>) {
    let dims = x.dims();
    assert!(
        dims.iter().product::<usize>() > 0,
        "batch norm: x {dims:?} has no values per channel"
    );
}

/// The operands besides `x`, checked against its shape, as primitives.
fn operands<B: Backend, const D: usize>(
    x: &Tensor<B, D>,
    weight: Option<Tensor<B, 1>>,
    bias: Option<Tensor<B, 1>>,
    epilogue: Epilogue<Tensor<B, D>>,
) -> (Affine<B>, Epilogue<FloatTensor<B>>) {
    let channels = x.dims()[1];
    let options = (&x.device(), x.dtype());
    let weight = weight.unwrap_or_else(|| Tensor::ones([channels], options));
    let bias = bias.unwrap_or_else(|| Tensor::zeros([channels], options));
    assert!(
        weight.dims() == [channels] && bias.dims() == [channels],
        "batch norm: x of shape {:?}, but weight {:?} and bias {:?}",
        x.dims(),
        weight.dims(),
        bias.dims(),
    );
    if let Epilogue::AddRelu(residual) = &epilogue {
        let (x, residual) = (x.dims(), residual.dims());
        assert!(
            x == residual,
            "batch norm: x of shape {x:?}, but a residual of {residual:?}"
        );
    }
    let affine = Affine {
        weight: unwrap(weight),
        bias: unwrap(bias),
    };
    (affine, epilogue.map(unwrap))
}
