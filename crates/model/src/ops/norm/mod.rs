//! Backend extension: batch norm by the statistics of the batch, with its gradient, as one operation.
//!
//! Tensor ops each pass over the whole batch and store what they make; in one piece the passes are few and find the data in
//! the cache. Default bodies as in [`reference`]; `flex` overrides them on the CPU. Knows nothing of running
//! statistics, which belong to the layer.

mod autodiff;
#[cfg(feature = "cpu")]
mod flex;
pub mod reference;

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorPrimitive};

/// Batch norm in training, overridable per backend. `x` is [N, C, S] (S: the pixels of an image, 1 for vectors), every value
/// per channel `[C]`; all are f32 or all of one other float type.
pub trait NormOps: Backend {
    /// y = (x − mean) / √(variance + epsilon) · weight + bias with the mean and biased variance of each channel.
    fn batch_norm_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> Normalized<Self> {
        reference::forward(x, weight, bias, epsilon)
    }

    /// The gradients of [`batch_norm_forward`](Self::batch_norm_forward) for its three operands, given that of y; they take
    /// into account that the statistics depend on `x`.
    fn batch_norm_backward(saved: Saved<Self>, output_gradient: FloatTensor<Self>) -> Gradients<Self> {
        reference::backward(saved, output_gradient)
    }
}

/// What [`NormOps::batch_norm_forward`] gives.
#[derive(Debug)]
pub struct Normalized<B: Backend> {
    /// [N, C, S]
    pub y: FloatTensor<B>,
    /// `[C]`
    pub mean: FloatTensor<B>,
    /// `[C]`, biased (divided by N·S).
    pub variance: FloatTensor<B>,
}

/// What [`NormOps::batch_norm_backward`] needs of the forward pass.
#[derive(Debug)]
pub struct Saved<B: Backend> {
    /// [N, C, S]
    pub x: FloatTensor<B>,
    /// `[C]`
    pub weight: FloatTensor<B>,
    /// `[C]`
    pub mean: FloatTensor<B>,
    /// `[C]`, biased.
    pub variance: FloatTensor<B>,
    /// Added to the variance.
    pub epsilon: f64,
}

/// What [`NormOps::batch_norm_backward`] gives.
#[derive(Debug)]
pub struct Gradients<B: Backend> {
    /// [N, C, S]
    pub x: FloatTensor<B>,
    /// `[C]`
    pub weight: FloatTensor<B>,
    /// `[C]`
    pub bias: FloatTensor<B>,
}

/// Batch norm by the statistics of the batch: (y, mean, biased variance).
///
/// A missing weight is 1, a missing bias 0. Under autodiff y carries the whole gradient, also that through the statistics;
/// mean and variance are given as constants, for running statistics and logs.
///
/// # Shapes
/// - `x`: [N, C, S]; `weight`, `bias`: `[C]`
/// - returns `[N, C, S]`, `[C]`, `[C]`
///
/// # Panics
/// If weight or bias have another number of channels, or if there is no value to take statistics of.
pub fn batch_norm_train<B: NormOps>(
    x: Tensor<B, 3>,
    weight: Option<Tensor<B, 1>>,
    bias: Option<Tensor<B, 1>>,
    epsilon: f64,
) -> (Tensor<B, 3>, Tensor<B, 1>, Tensor<B, 1>) {
    let [n, channels, s] = x.dims();
    assert!(n * s > 0, "batch norm: no value a channel in x of shape {:?}", x.dims());
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
    let [weight, bias] = [weight, bias].map(|tensor| tensor.into_primitive().tensor());
    let Normalized { y, mean, variance } = B::batch_norm_forward(x.into_primitive().tensor(), weight, bias, epsilon);
    (wrap(y), wrap(mean), wrap(variance))
}

fn wrap<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}
