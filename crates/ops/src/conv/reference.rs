//! Convolution and its gradients in Burn's own ops: the default implementation of [`ConvOps`](super::ConvOps) (except for one
//! case, see `input_gradient`), the fallback of backends that override it for f32 only, and the reference of the tests.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, TensorMetadata};

use super::groups::groups;
use crate::ConvGeometry;

/// [`ConvOps::conv2d_forward`](super::ConvOps::conv2d_forward) with Burn's own op.
pub fn forward<B: Backend>(x: FloatTensor<B>, weight: FloatTensor<B>, geometry: ConvGeometry) -> FloatTensor<B> {
    let groups = groups(&x.shape(), &weight.shape());
    B::conv2d(x, weight, None, geometry.options(groups))
}

/// [`ConvOps::conv2d_input_gradient`](super::ConvOps::conv2d_input_gradient) with Burn's own op; wrong on CUDA and WGPU if the
/// kernel is smaller than its stride.
pub fn input_gradient<B: Backend>(
    weight: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    geometry: ConvGeometry,
    input_shape: Shape,
) -> FloatTensor<B> {
    let groups = groups(&input_shape, &weight.shape());
    // Burn's op takes the input but uses only its shape.
    let x = B::float_empty(
        input_shape,
        &B::float_device(&output_gradient),
        output_gradient.dtype().into(),
    );
    B::conv2d_x_backward(x, weight, output_gradient, geometry.options(groups))
}

/// [`ConvOps::conv2d_weight_gradient`](super::ConvOps::conv2d_weight_gradient) with Burn's own op.
pub fn weight_gradient<B: Backend>(
    x: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    geometry: ConvGeometry,
    weight_shape: Shape,
) -> FloatTensor<B> {
    let groups = groups(&x.shape(), &weight_shape);
    // Burn's op takes the weight but uses only its shape.
    let weight = B::float_empty(weight_shape, &B::float_device(&x), x.dtype().into());
    B::conv2d_weight_backward(x, weight, output_gradient, geometry.options(groups))
}
