//! Default implementations of [`LossOps`](super::LossOps) in Burn's own ops, for backends without kernels and as the reference of
//! the kernel tests.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Tensor, TensorPrimitive};

/// [`LossOps::correlation_sums`](super::LossOps::correlation_sums) in tensor ops.
pub(crate) fn correlation_sums<B: Backend>(c: FloatTensor<B>) -> FloatTensor<B> {
    let c = tensor::<B>(c);
    let [d, _] = c.dims();
    let diagonal = diagonal(&c);
    let off_diagonal = if d == 1 {
        c.zeros_like()
    } else {
        // Flattened without its last element and reshaped to D − 1 rows of D + 1, the matrix has its diagonal in the first
        // column.
        c.reshape([d * d])
            .narrow(0, 0, d * d - 1)
            .reshape([d - 1, d + 1])
            .narrow(1, 1, d)
    };
    let total = |x: Tensor<B, 2>| x.sum_dim(1).sum_dim(0).reshape([1]);
    let sums = Tensor::cat(
        vec![
            total(diagonal.clone().sub_scalar(1.0).square()),
            total(off_diagonal.square()),
            total(diagonal.clone()),
            total(diagonal.square()),
        ],
        0,
    );
    sums.into_primitive().tensor()
}

/// [`LossOps::correlation_gradient`](super::LossOps::correlation_gradient) in tensor ops.
pub(crate) fn correlation_gradient<B: Backend>(c: FloatTensor<B>, weights: FloatTensor<B>) -> FloatTensor<B> {
    let c = tensor::<B>(c);
    let weights = Tensor::<B, 1>::from_primitive(TensorPrimitive::Float(weights));
    let [d, _] = c.dims();
    let (invariance, redundancy) = (weights.clone().narrow(0, 0, 1), weights.narrow(0, 1, 1));
    let diagonal = diagonal(&c);
    // Replaces the result of the uniform factor on the diagonal.
    let correction = diagonal.clone().sub_scalar(1.0) * invariance.reshape([1, 1]).mul_scalar(2.0)
        - diagonal * redundancy.clone().reshape([1, 1]).mul_scalar(2.0);
    let uniform = c * redundancy.reshape([1, 1]).mul_scalar(2.0);
    let eye = Tensor::<B, 2>::eye(d, &uniform.device()).cast(uniform.dtype());
    (uniform + eye * correction).into_primitive().tensor()
}

/// The diagonal of [D, D] as a row [1, D].
fn diagonal<B: Backend>(c: &Tensor<B, 2>) -> Tensor<B, 2> {
    let [d, _] = c.dims();
    // With the element type of the matrix, which need not be the backend's default.
    let tail = Tensor::zeros([d], (&c.device(), c.dtype()));
    Tensor::cat(vec![c.clone().reshape([d * d]), tail], 0)
        .reshape([d, d + 1])
        .narrow(1, 0, 1)
        .transpose()
}

fn tensor<B: Backend>(x: FloatTensor<B>) -> Tensor<B, 2> {
    Tensor::from_primitive(TensorPrimitive::Float(x))
}
