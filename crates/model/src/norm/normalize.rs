//! The arithmetic of batch norm on [N, C, S], S being the pixels of an image (1 for vectors).
//!
//! The seam for a fused kernel: everything that reads the whole batch stands in these two functions. They know
//! nothing of modules or running statistics.
//!
//! Two rules keep this quick and repeatable on the CPU. A value per channel is spread to [N, C, 1] before it meets the
//! batch, because Burn's Flex has a vectorised loop for "one number a row" and none for [1, C, 1]. And a reduction
//! goes over the last axis, then over the first: Flex does both on one thread, in an order that depends on shapes
//! alone, whereas its sum over all elements depends on work stealing above 4 Mi elements. Autodiff reduces the
//! gradients of spread values along the same two axes.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// `x` [N, C, S] normalised by its own statistics, with them: (y [N, C, S], mean [1, C], biased variance [1, C]).
///
/// `weight`, `bias`: [1, C]. Two passes (mean, then squares of what is left), so that a large mean does not eat the
/// variance. Gradients flow through the statistics.
pub(super) fn normalize_train<B: Backend>(
    x: Tensor<B, 3>,
    weight: Option<Tensor<B, 2>>,
    bias: Option<Tensor<B, 2>>,
    epsilon: f64,
) -> (Tensor<B, 3>, Tensor<B, 2>, Tensor<B, 2>) {
    let [n, _, s] = x.dims();
    let count = (n * s) as f64;
    let mean = channel_sum(x.clone()).div_scalar(count);
    // Adding the negated mean spares a pass: the backward of a subtraction negates the whole batch.
    let centred = x + spread(mean.clone().neg(), n);
    let variance = channel_sum(centred.clone().powi_scalar(2)).div_scalar(count);
    let inverse_std = variance.clone().add_scalar(epsilon).sqrt().recip();
    let scale = match weight {
        Some(weight) => inverse_std * weight,
        None => inverse_std,
    };
    let scaled = centred * spread(scale, n);
    let y = match bias {
        Some(bias) => scaled + spread(bias, n),
        None => scaled,
    };
    (y, mean, variance)
}

/// `x` [N, C, S] normalised by given statistics [1, C] (the variance as it is to be used).
pub(super) fn normalize_eval<B: Backend>(
    x: Tensor<B, 3>,
    mean: Tensor<B, 2>,
    variance: Tensor<B, 2>,
    weight: Option<Tensor<B, 2>>,
    bias: Option<Tensor<B, 2>>,
    epsilon: f64,
) -> Tensor<B, 3> {
    let [n, _, _] = x.dims();
    let inverse_std = variance.add_scalar(epsilon).sqrt().recip();
    let scale = match weight {
        Some(weight) => inverse_std * weight,
        None => inverse_std,
    };
    let shift = (mean * scale.clone()).neg();
    let shift = match bias {
        Some(bias) => shift + bias,
        None => shift,
    };
    x * spread(scale, n) + spread(shift, n)
}

/// Σ over images and pixels: [N, C, S] → [1, C].
fn channel_sum<B: Backend>(x: Tensor<B, 3>) -> Tensor<B, 2> {
    let [n, c, s] = x.dims();
    let per_image = if s == 1 { x } else { x.sum_dim(2) };
    per_image.reshape([n, c]).sum_dim(0)
}

/// One number a channel, written out for each image: [1, C] → [N, C, 1].
fn spread<B: Backend>(values: Tensor<B, 2>, n: usize) -> Tensor<B, 3> {
    let [_, c] = values.dims();
    values.repeat_dim(0, n).reshape([n, c, 1])
}
