//! The trait [`TransformerOps`] and its functions on tensors.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorPrimitive};

use super::{LayerNormGradients, LayerNormSaved, LayerNormed, reference};

/// Layer norm, GELU and softmax, overridable per backend. Matrices have rank 2; gradients have the shape and the element type of
/// their operands.
pub trait TransformerOps: Backend {
    /// y = (x − mean) / √(variance + epsilon) · weight + bias with the mean and the biased variance of each row of `x` [M, D].
    fn layer_norm_forward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> LayerNormed<Self> {
        reference::layer_norm_forward(x, weight, bias, epsilon)
    }

    /// The gradients of [`layer_norm_forward`](Self::layer_norm_forward) from that of y, [M, D].
    fn layer_norm_backward(
        saved: LayerNormSaved<Self>,
        output_gradient: FloatTensor<Self>,
    ) -> LayerNormGradients<Self> {
        reference::layer_norm_backward(saved, output_gradient)
    }

    /// x·Φ(x) with the exact normal distribution function, of any shape.
    fn gelu_exact(x: FloatTensor<Self>) -> FloatTensor<Self> {
        reference::gelu_forward::<Self>(x)
    }

    /// The gradient of [`gelu_exact`](Self::gelu_exact): dy·(Φ(x) + x·φ(x)).
    fn gelu_exact_backward(x: FloatTensor<Self>, output_gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        reference::gelu_backward::<Self>(x, output_gradient)
    }

    /// eˣ / Σeˣ of each row of `x` [M, D].
    fn softmax_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        reference::softmax_forward::<Self>(x)
    }

    /// The gradient of [`softmax_forward`](Self::softmax_forward) from its result y: y·(dy − Σ y·dy).
    fn softmax_backward(y: FloatTensor<Self>, output_gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        reference::softmax_backward::<Self>(y, output_gradient)
    }
}

/// Layer norm over the last axis.
///
/// # Shapes
/// - `x`: [M, D]; `weight`, `bias`: `[D]`
/// - returns [M, D]
///
/// # Panics
/// If weight or bias have another width, or the width is 0.
pub fn layer_norm<B: TransformerOps>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    bias: Tensor<B, 1>,
    epsilon: f64,
) -> Tensor<B, 2> {
    let [_, width] = x.dims();
    assert!(
        width > 0 && weight.dims() == [width] && bias.dims() == [width],
        "layer norm: x of shape {:?}, but weight {:?} and bias {:?}",
        x.dims(),
        weight.dims(),
        bias.dims(),
    );
    let of = |vector: Tensor<B, 1>| vector.into_primitive().tensor();
    wrap(B::layer_norm_forward(x.into_primitive().tensor(), of(weight), of(bias), epsilon).y)
}

/// x·Φ(x) with the exact normal distribution function, torch's default.
pub fn gelu<B: TransformerOps, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    wrap(B::gelu_exact(x.into_primitive().tensor()))
}

/// Softmax over the last axis.
///
/// # Shapes
/// - `x`: [M, D]
/// - returns [M, D]
pub fn softmax<B: TransformerOps>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    wrap(B::softmax_forward(x.into_primitive().tensor()))
}

fn wrap<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}
