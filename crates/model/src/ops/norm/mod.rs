//! Backend extension: batch norm with what follows it, a ReLU or a sum and a ReLU, as one operation with its gradient.
//!
//! Tensor ops each pass over the whole batch and store what they make; in one piece the passes are few and find the data in
//! the cache. Default bodies as in [`reference`]; `flex` overrides them on the CPU. Knows nothing of running
//! statistics, which belong to the layer.

mod autodiff;
mod epilogue;
#[cfg(feature = "cpu")]
mod flex;
pub mod reference;

pub use epilogue::Epilogue;

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorPrimitive};

/// Batch norm, overridable per backend. `x`, residuals and outputs are [N, C, S] (S: the pixels of an image, 1 for vectors),
/// every value per channel `[C]`; all are f32 or all of one other float type.
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

    /// The gradients of [`batch_norm_forward`](Self::batch_norm_forward) for its operands, given that of y; they take into
    /// account that the statistics depend on `x`. The residual's only if `wants_residual` and there is one.
    fn batch_norm_backward(
        saved: Saved<Self>,
        output_gradient: FloatTensor<Self>,
        wants_residual: bool,
    ) -> Gradients<Self> {
        reference::backward(saved, output_gradient, wants_residual)
    }

    /// The same y by given statistics, to which no gradient flows. Under autodiff the other operands have theirs.
    fn batch_norm_eval(
        x: FloatTensor<Self>,
        affine: Affine<Self>,
        statistics: Statistics<Self>,
        epsilon: f64,
        epilogue: Epilogue<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        reference::eval(x, affine, statistics, epsilon, epilogue)
    }
}

/// What is learned, each `[C]`.
#[derive(Clone, Debug)]
pub struct Affine<B: Backend> {
    /// Factor.
    pub weight: FloatTensor<B>,
    /// Summand.
    pub bias: FloatTensor<B>,
}

/// What each channel is normalised by, each `[C]`.
#[derive(Clone, Debug)]
pub struct Statistics<B: Backend> {
    /// Subtracted.
    pub mean: FloatTensor<B>,
    /// As it is used: of a batch the biased one, divided by N·S.
    pub variance: FloatTensor<B>,
}

/// What [`NormOps::batch_norm_forward`] gives.
#[derive(Debug)]
pub struct Normalized<B: Backend> {
    /// [N, C, S]
    pub y: FloatTensor<B>,
    /// Those of the batch.
    pub statistics: Statistics<B>,
}

/// What [`NormOps::batch_norm_backward`] needs of the forward pass.
#[derive(Debug)]
pub struct Saved<B: Backend> {
    /// [N, C, S]
    pub x: FloatTensor<B>,
    /// As given.
    pub affine: Affine<B>,
    /// As returned.
    pub statistics: Statistics<B>,
    /// Added to the variance.
    pub epsilon: f64,
    /// As given, but with y in the residual's place. Where a ReLU alone follows, its mask is computed again from `x`.
    pub epilogue: Epilogue<FloatTensor<B>>,
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
    /// [N, C, S]
    pub residual: Option<FloatTensor<B>>,
}

/// Batch norm by the statistics of the batch: (y, mean, biased variance).
///
/// A missing weight is 1, a missing bias 0. Under autodiff y carries the whole gradient, also that through the statistics;
/// mean and variance are given as constants, for running statistics and logs.
///
/// # Shapes
/// - `x`, a residual: [N, C, S]; `weight`, `bias`: `[C]`
/// - returns `[N, C, S]`, `[C]`, `[C]`
///
/// # Panics
/// If weight or bias have another number of channels, the residual another shape, or if there is no value to take statistics
/// of.
pub fn batch_norm_train<B: NormOps>(
    x: Tensor<B, 3>,
    weight: Option<Tensor<B, 1>>,
    bias: Option<Tensor<B, 1>>,
    epsilon: f64,
    epilogue: Epilogue<Tensor<B, 3>>,
) -> (Tensor<B, 3>, Tensor<B, 1>, Tensor<B, 1>) {
    let [n, _, s] = x.dims();
    assert!(n * s > 0, "batch norm: no value a channel in x of shape {:?}", x.dims());
    let (affine, epilogue) = operands(&x, weight, bias, epilogue);
    let Normalized { y, statistics } = B::batch_norm_forward(unwrap(x), affine, epsilon, epilogue);
    (wrap(y), wrap(statistics.mean), wrap(statistics.variance))
}

/// Batch norm by given statistics, each `[C]`, the variance as it is to be used. Everything else as for [`batch_norm_train`].
///
/// # Panics
/// If a vector has another number of channels, or the residual another shape.
pub fn batch_norm_eval<B: NormOps>(
    x: Tensor<B, 3>,
    weight: Option<Tensor<B, 1>>,
    bias: Option<Tensor<B, 1>>,
    [mean, variance]: [Tensor<B, 1>; 2],
    epsilon: f64,
    epilogue: Epilogue<Tensor<B, 3>>,
) -> Tensor<B, 3> {
    let [_, channels, _] = x.dims();
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

/// Everything but `x`, checked against it, as primitives.
fn operands<B: Backend>(
    x: &Tensor<B, 3>,
    weight: Option<Tensor<B, 1>>,
    bias: Option<Tensor<B, 1>>,
    epilogue: Epilogue<Tensor<B, 3>>,
) -> (Affine<B>, Epilogue<FloatTensor<B>>) {
    let [_, channels, _] = x.dims();
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

fn wrap<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

fn unwrap<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> FloatTensor<B> {
    tensor.into_primitive().tensor()
}
