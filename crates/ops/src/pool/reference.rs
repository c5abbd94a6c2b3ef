//! Pooling in Burn's own ops: the default implementation of [`PoolOps`](super::PoolOps), the fallback of backends that override
//! it for f32 only, and the reference of the tests.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Shape, Tensor, TensorMetadata, TensorPrimitive};

use super::{MaxPooled, Window};

/// [`PoolOps::max_pool2d_forward`](super::PoolOps::max_pool2d_forward) with Burn's own op.
pub fn max_forward<B: Backend>(x: FloatTensor<B>, window: Window) -> MaxPooled<B> {
    let [size, stride, padding] = sides(window);
    let pooled = B::max_pool2d_with_indices(x, size, stride, padding, [1, 1], false);
    MaxPooled {
        y: pooled.output,
        places: pooled.indices,
    }
}

/// [`PoolOps::max_pool2d_backward`](super::PoolOps::max_pool2d_backward) with Burn's own op.
pub fn max_backward<B: Backend>(
    output_gradient: FloatTensor<B>,
    places: IntTensor<B>,
    window: Window,
    input_shape: Shape,
) -> FloatTensor<B> {
    let [size, stride, padding] = sides(window);
    // Burn's op takes the input but uses only its shape.
    let x = B::float_empty(
        input_shape,
        &B::float_device(&output_gradient),
        output_gradient.dtype().into(),
    );
    B::max_pool2d_with_indices_backward(x, size, stride, padding, [1, 1], false, output_gradient, places).x_grad
}

/// [`PoolOps::mean_pool2d_forward`](super::PoolOps::mean_pool2d_forward) in tensor ops.
pub fn mean_forward<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let x = Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(x));
    let [n, channels, height, width] = x.dims();
    let mean = x.reshape([n, channels, height * width]).mean_dim(2);
    mean.reshape([n, channels]).into_primitive().tensor()
}

/// [`PoolOps::mean_pool2d_backward`](super::PoolOps::mean_pool2d_backward) in tensor ops.
pub fn mean_backward<B: Backend>(output_gradient: FloatTensor<B>, input_shape: Shape) -> FloatTensor<B> {
    let gradient = Tensor::<B, 2>::from_primitive(TensorPrimitive::Float(output_gradient));
    let [n, channels, height, width] = input_shape.dims();
    let share = gradient
        .div_scalar((height * width) as f64)
        .reshape([n, channels, 1, 1]);
    share.expand([n, channels, height, width]).into_primitive().tensor()
}

fn sides(window: Window) -> [[usize; 2]; 3] {
    [window.size, window.geometry.stride, window.geometry.padding].map(|side| [side; 2])
}
