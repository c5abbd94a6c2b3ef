//! Batch norm and its gradient in tensor ops: the default bodies of [`NormOps`](super::NormOps) and what the tests compare
//! with.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorPrimitive};

use super::{Gradients, Normalized, Saved, wrap};

/// [`NormOps::batch_norm_forward`](super::NormOps::batch_norm_forward) in tensor ops. Two passes, so that a large mean does
/// not eat the variance.
pub fn forward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    epsilon: f64,
) -> Normalized<B> {
    let (x, weight, bias) = (wrap::<B, 3>(x), wrap::<B, 1>(weight), wrap::<B, 1>(bias));
    let [n, _, s] = x.dims();
    let count = (n * s) as f64;
    let mean = channel_sum(x.clone()).div_scalar(count);
    let centred = x - spread(mean.clone(), n);
    let variance = channel_sum(centred.clone().powi_scalar(2)).div_scalar(count);
    let scale = inverse_std(variance.clone(), epsilon) * weight;
    let y = centred * spread(scale, n) + spread(bias, n);
    Normalized {
        y: unwrap(y),
        mean: unwrap(mean),
        variance: unwrap(variance),
    }
}

/// [`NormOps::batch_norm_backward`](super::NormOps::batch_norm_backward) in tensor ops.
///
/// With x̂ = (x − mean)/σ: db = Σdy, dw = Σdy·x̂, dx = weight/σ · (dy − db/count − x̂·dw/count).
pub fn backward<B: Backend>(saved: Saved<B>, output_gradient: FloatTensor<B>) -> Gradients<B> {
    let Saved {
        x,
        weight,
        mean,
        variance,
        epsilon,
    } = saved;
    let (x, dy) = (wrap::<B, 3>(x), wrap::<B, 3>(output_gradient));
    let [n, _, s] = x.dims();
    let count = (n * s) as f64;
    let inverse_std = inverse_std(wrap::<B, 1>(variance), epsilon);
    let normal = (x - spread(wrap(mean), n)) * spread(inverse_std.clone(), n);
    let bias = channel_sum(dy.clone());
    let slope = channel_sum(dy.clone() * normal.clone());
    let scale = inverse_std * wrap(weight);
    let offset = scale.clone() * bias.clone().div_scalar(count);
    let tilt = scale.clone() * slope.clone().div_scalar(count);
    let x = dy * spread(scale, n) - spread(offset, n) - normal * spread(tilt, n);
    Gradients {
        x: unwrap(x),
        weight: unwrap(slope),
        bias: unwrap(bias),
    }
}

fn inverse_std<B: Backend>(variance: Tensor<B, 1>, epsilon: f64) -> Tensor<B, 1> {
    variance.add_scalar(epsilon).sqrt().recip()
}

/// Σ over images and pixels, the last axis first: on the CPU backend both have an order that depends on the shape alone.
fn channel_sum<B: Backend>(x: Tensor<B, 3>) -> Tensor<B, 1> {
    let [n, c, s] = x.dims();
    let per_image = if s == 1 { x } else { x.sum_dim(2) };
    per_image.reshape([n, c]).sum_dim(0).reshape([c])
}

/// One number a channel, written out for each image: Burn's CPU backend has a quick loop for [N, C, 1], none for [1, C, 1].
fn spread<B: Backend>(values: Tensor<B, 1>, n: usize) -> Tensor<B, 3> {
    let [c] = values.dims();
    values.reshape([1, c]).repeat_dim(0, n).reshape([n, c, 1])
}

fn unwrap<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> FloatTensor<B> {
    match tensor.into_primitive() {
        TensorPrimitive::Float(primitive) => primitive,
        TensorPrimitive::QFloat(_) => unreachable!("made from float primitives"),
    }
}
