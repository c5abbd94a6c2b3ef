//! Backend extension: max pooling, and the mean over all pixels, each with its gradient.
//!
//! Default bodies are Burn's own ops ([`reference`]); `flex` overrides them on the CPU, where the places of the maxima take a
//! byte each. Knows nothing of networks.

mod autodiff;
#[cfg(feature = "cpu")]
mod flex;
pub mod reference;

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Shape, Tensor, TensorPrimitive};

use super::ConvGeometry;

/// Pooling, overridable per backend.
pub trait PoolOps: Backend {
    /// The largest value of each window, which lies in the padding never.
    fn max_pool2d_forward(x: FloatTensor<Self>, window: Window) -> MaxPooled<Self> {
        reference::max_forward(x, window)
    }

    /// Gradient for the input, [N, C, H, W] = `input_shape`: that of each output, [N, C, H', W'], goes to the first of the
    /// largest values in its window. `places` are those of the forward pass on the same backend.
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

    /// Gradient for the input, [N, C, H, W] = `input_shape`, from that of the means, [N, C].
    fn mean_pool2d_backward(output_gradient: FloatTensor<Self>, input_shape: Shape) -> FloatTensor<Self> {
        reference::mean_backward::<Self>(output_gradient, input_shape)
    }
}

/// A square window that moves over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Pixels on a side (≥ 1).
    pub size: usize,
    /// How it moves; the padding is at most half the size, so that no window lies in it alone.
    pub geometry: ConvGeometry,
}

/// What [`PoolOps::max_pool2d_forward`] gives.
#[derive(Debug)]
pub struct MaxPooled<B: Backend> {
    /// [N, C, H', W']
    pub y: FloatTensor<B>,
    /// [N, C, H', W']: where in the image or in the window the values come from, as the backend likes to write it.
    pub places: IntTensor<B>,
}

/// 2-d max pooling.
///
/// # Shapes
/// - `x`: [N, C, H, W]
/// - returns [N, C, (H + 2·padding − size) / stride + 1, (W + 2·padding − size) / stride + 1]
///
/// # Panics
/// If the window has no size, is larger than the padded input, or less than twice the padding.
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

/// The mean over the pixels of each channel.
///
/// # Shapes
/// - `x`: [N, C, H, W]
/// - returns [N, C]
///
/// # Panics
/// If an image has no pixel.
pub fn mean_pool2d<B: PoolOps>(x: Tensor<B, 4>) -> Tensor<B, 2> {
    let [_, _, height, width] = x.dims();
    assert!(
        height * width > 0,
        "mean pooling: no pixel in x of shape {:?}",
        x.dims()
    );
    Tensor::from_primitive(TensorPrimitive::Float(B::mean_pool2d_forward(
        x.into_primitive().tensor(),
    )))
}
