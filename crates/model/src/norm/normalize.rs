//! Batch norm by given statistics, on [N, C, S], S being the pixels of an image (1 for vectors).
//!
//! Training's batch norm is a backend operation ([`crate::ops::batch_norm_train`]); this one is plain tensor operations,
//! since nothing is reduced. A value per channel is spread to [N, C, 1] before it meets the batch, because Burn's Flex has
//! a vectorised loop for "one number a row" and none for [1, C, 1].

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

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

/// One number a channel, written out for each image: [1, C] → [N, C, 1].
fn spread<B: Backend>(values: Tensor<B, 2>, n: usize) -> Tensor<B, 3> {
    let [_, c] = values.dims();
    values.repeat_dim(0, n).reshape([n, c, 1])
}
