//! Layer norm, GELU and softmax in tensor ops: the default implementations of [`TransformerOps`](super::TransformerOps), the
//! fallback of backends that override them for f32 only, and the reference of the tests.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorPrimitive, activation};

use super::{LayerNormGradients, LayerNormSaved, LayerNormed};
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// [`TransformerOps::layer_norm_forward`](super::TransformerOps::layer_norm_forward) in tensor ops. Two passes, so that the
/// variance remains accurate if the mean is large.
pub fn layer_norm_forward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    epsilon: f64,
) -> LayerNormed<B> {
    let x = matrix::<B>(x);
    let mean = x.clone().mean_dim(1);
    let centred = x - mean.clone();
    let variance = centred.clone().powi_scalar(2).mean_dim(1);
    let inverse_std = variance.add_scalar(epsilon).sqrt().recip();
    let y = centred * inverse_std.clone() * row(weight) + row(bias);
    LayerNormed {
        y: primitive(y),
        mean: primitive(mean),
        inverse_std: primitive(inverse_std),
    }
}

/// [`TransformerOps::layer_norm_backward`](super::TransformerOps::layer_norm_backward) in tensor ops.
///
/// With x̂ = (x − mean)/σ and g = dy·weight: db = Σdy, dw = Σdy·x̂ over the rows, dx = (g − mean(g) − x̂·mean(g·x̂))/σ.
pub fn layer_norm_backward<B: Backend>(
    saved: LayerNormSaved<B>,
    output_gradient: FloatTensor<B>,
) -> LayerNormGradients<B> {
    let dy = matrix::<B>(output_gradient);
    let inverse_std = matrix::<B>(saved.inverse_std);
    let normal = (matrix::<B>(saved.x) - matrix(saved.mean)) * inverse_std.clone();
    let gradient = dy.clone() * row(saved.weight);
    let mean = gradient.clone().mean_dim(1);
    let along = (gradient.clone() * normal.clone()).mean_dim(1);
    let x = (gradient - mean - normal.clone() * along) * inverse_std;
    let sum = |values: Tensor<B, 2>| {
        let [_, width] = values.dims();
        let sum: Tensor<B, 1> = values.sum_dim(0).reshape([width]);
        sum.into_primitive().tensor()
    };
    LayerNormGradients {
        x: primitive(x),
        weight: sum(dy.clone() * normal),
        bias: sum(dy),
    }
}

/// [`TransformerOps::gelu_exact`](super::TransformerOps::gelu_exact) with Burn's own op.
pub fn gelu_forward<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    // Rank 1, because Burn's function takes tensors of a known rank.
    let (x, shape) = flat::<B>(x);
    B::float_reshape(activation::gelu(x).into_primitive().tensor(), shape)
}

/// [`TransformerOps::gelu_exact_backward`](super::TransformerOps::gelu_exact_backward) in tensor ops.
pub fn gelu_backward<B: Backend>(x: FloatTensor<B>, output_gradient: FloatTensor<B>) -> FloatTensor<B> {
    let ((x, shape), (dy, _)) = (flat::<B>(x), flat::<B>(output_gradient));
    let distribution = (x.clone().mul_scalar(FRAC_1_SQRT_2).erf() + 1.0) * 0.5;
    let density = x
        .clone()
        .powi_scalar(2)
        .mul_scalar(-0.5)
        .exp()
        .div_scalar((2.0 * PI).sqrt());
    let dx = dy * (distribution + x * density);
    B::float_reshape(dx.into_primitive().tensor(), shape)
}

/// [`TransformerOps::softmax_forward`](super::TransformerOps::softmax_forward) in tensor ops.
pub fn softmax_forward<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    primitive(activation::softmax(matrix::<B>(x), 1))
}

/// [`TransformerOps::softmax_backward`](super::TransformerOps::softmax_backward) in tensor ops.
pub fn softmax_backward<B: Backend>(y: FloatTensor<B>, output_gradient: FloatTensor<B>) -> FloatTensor<B> {
    let (y, dy) = (matrix::<B>(y), matrix::<B>(output_gradient));
    let along = (y.clone() * dy.clone()).sum_dim(1);
    primitive(y * (dy - along))
}

fn matrix<B: Backend>(values: FloatTensor<B>) -> Tensor<B, 2> {
    Tensor::from_primitive(TensorPrimitive::Float(values))
}

/// A vector as a matrix of one row.
fn row<B: Backend>(values: FloatTensor<B>) -> Tensor<B, 2> {
    Tensor::<B, 1>::from_primitive(TensorPrimitive::Float(values)).unsqueeze()
}

fn flat<B: Backend>(values: FloatTensor<B>) -> (Tensor<B, 1>, burn::tensor::Shape) {
    use burn::tensor::TensorMetadata;
    let shape = values.shape();
    let flat = B::float_reshape(values, burn::tensor::Shape::new([shape.num_elements()]));
    (Tensor::from_primitive(TensorPrimitive::Float(flat)), shape)
}

fn primitive<B: Backend>(tensor: Tensor<B, 2>) -> FloatTensor<B> {
    tensor.into_primitive().tensor()
}
