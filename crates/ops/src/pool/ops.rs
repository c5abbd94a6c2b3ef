//! The pooling trait [`PoolOps`] and the functions on tensors.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Shape, Tensor, TensorPrimitive};

use super::{MaxPooled, Window, reference};

/// Pooling, overridable per backend.
pub trait PoolOps: Backend {
    /// The largest value of each window, ignoring the padding.
    fn max_pool2d_forward(x: FloatTensor<Self>, window: Window) -> MaxPooled<Self> {
        reference::max_forward(x, window)
    }

    /// Gradient with respect to the input, [N, C, H, W] = `input_shape`: the gradient of each output, [N, C, H', W'], goes to the
    /// first of the largest values in its window. `places` must come from the forward pass of the same backend.
    fn max_pool2d_backward(
        output_gradient: FloatTensor<Self>,
        places: IntTensor<Self>,
        window: Window,
        input_shape: Shape,
    ) -> FloatTensor<Self> {
        reference::max_backward::<Self>(output_gradient, places, window, input_shape)
    }

    /// The mean over the pixels: [N, C, H, W] → [N, C].
    fn mean_pool2d_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        reference::mean_forward::<Self>(x)
    }

    /// Gradient with respect to the input, [N, C, H, W] = `input_shape`, from the gradient of the means, [N, C].
    fn mean_pool2d_backward(output_gradient: FloatTensor<Self>, input_shape: Shape) -> FloatTensor<Self> {
        reference::mean_backward::<Self>(output_gradient, input_shape)
    }
}

/// 2-D max pooling.
///
/// # Shapes
/// - `x`: [N, C, H, W]
/// - returns [N, C, (H + 2·padding − size) / stride + 1, (W + 2·padding − size) / stride + 1]
///
/// # Panics
/// If the window is empty, larger than the padded input, or smaller than twice the padding.
pub fn max_pool2d<B: PoolOps>(x: Tensor<B, 4>, window: Window) -> Tensor<B, 4> {
    let Window { size, geometry } = window;
    assert!(
        size >= 1 && 2 * geometry.padding <= size,
        "max pooling: a padding of {} is more than half a window of {size} pixels",
        geometry.padding,
    );
    let [_, _, height, width] = x.dims();
    geometry.output_size(height, size);
    geometry.output_size(width, size);
    let pooled = B::max_pool2d_forward(x.into_primitive().tensor(), window);
    Tensor::from_primitive(TensorPrimitive::Float(pooled.y))
}

/// Global mean pooling: the mean over the pixels of each channel.
///
/// # Shapes
/// - `x`: [N, C, H, W]
/// - returns [N, C]
///
/// # Panics
/// If an image has no pixels.
pub fn mean_pool2d<B: PoolOps>(x: Tensor<B, 4>) -> Tensor<B, 2> {
    let [_, _, height, width] = x.dims();
    assert!(
        height * width > 0,
        "mean pooling: no pixels in x of shape {:?}",
        x.dims()
    );
    Tensor::from_primitive(TensorPrimitive::Float(B::mean_pool2d_forward(
        x.into_primitive().tensor(),
    )))
}
