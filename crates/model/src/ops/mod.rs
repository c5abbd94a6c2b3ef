//! Backend extensions: the convolution a ResNet spends its time in, its batch norm and its poolings.
//!
//! [`ConvOps`], [`NormOps`] and [`PoolOps`] have default bodies made of Burn's own ops, so an empty impl makes any backend of one's own
//! crate work; a backend with something better overrides them (`flex` for the CPU). Nothing here knows of layers or networks.

mod autodiff;
#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "cpu")]
mod flex;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod gpu;
mod input_gradient;
mod norm;
mod pool;
pub mod reference;

pub use norm::{
    Affine, Epilogue, Gradients as NormGradients, NormOps, Normalized, Saved as NormSaved, Statistics, batch_norm_eval,
    batch_norm_train, reference as norm_reference,
};
pub use pool::{MaxPooled, PoolOps, Window, max_pool2d, mean_pool2d, reference as pool_reference};

use burn::tensor::backend::Backend;
use burn::tensor::ops::{ConvOptions, FloatTensor};
use burn::tensor::{Shape, Tensor, TensorMetadata, TensorPrimitive};

/// Stride and padding of a square 2-d convolution (zeros) or pooling (nothing), the same on both axes; no dilation, no groups, no bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvGeometry {
    /// Step between two outputs, in pixels (≥ 1).
    pub stride: usize,
    /// Added on each side, in pixels.
    pub padding: usize,
}

impl ConvGeometry {
    /// Number of outputs along an axis of `input` pixels under a kernel of `kernel` pixels:
    /// (input + 2·padding − kernel) / stride + 1, rounded down.
    ///
    /// # Panics
    /// If the stride is 0 or the kernel is larger than the padded input.
    pub fn output_size(&self, input: usize, kernel: usize) -> usize {
        let padded = input + 2 * self.padding;
        assert!(self.stride >= 1, "the stride must be at least 1");
        assert!(
            kernel <= padded,
            "a kernel of {kernel} does not fit {padded} pixels (padding included)"
        );
        (padded - kernel) / self.stride + 1
    }

    fn options(&self) -> ConvOptions<2> {
        ConvOptions::new([self.stride; 2], [self.padding; 2], [1, 1], 1)
    }
}

/// Every operation that the networks of this crate need of a backend; implemented by whatever has them all.
pub trait ModelOps: ConvOps + NormOps + PoolOps {}

impl<B: ConvOps + NormOps + PoolOps> ModelOps for B {}

/// Convolution with its two gradients, overridable per backend.
///
/// All three take and give tensors of rank 4; gradients have the type of their operands.
pub trait ConvOps: Backend {
    /// `x` [N, C_in, H, W] ⋆ `weight` [C_out, C_in, k, k] → [N, C_out, H', W'].
    fn conv2d_forward(x: FloatTensor<Self>, weight: FloatTensor<Self>, geometry: ConvGeometry) -> FloatTensor<Self> {
        reference::forward::<Self>(x, weight, geometry)
    }

    /// Gradient for the input, [N, C_in, H, W] = `input_shape`, from `weight` [C_out, C_in, k, k] and
    /// `output_gradient` [N, C_out, H', W'].
    fn conv2d_input_gradient(
        weight: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: ConvGeometry,
        input_shape: Shape,
    ) -> FloatTensor<Self> {
        let [_, _, kernel, _] = weight.shape().dims();
        if kernel < geometry.stride {
            input_gradient::of_small_kernel::<Self>(weight, output_gradient, geometry, input_shape)
        } else {
            reference::input_gradient::<Self>(weight, output_gradient, geometry, input_shape)
        }
    }

    /// [`conv2d_input_gradient`](Self::conv2d_input_gradient), added to `sum`, what other operations give the same input.
    fn conv2d_input_gradient_onto(
        weight: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: ConvGeometry,
        sum: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let gradient = Self::conv2d_input_gradient(weight, output_gradient, geometry, sum.shape());
        Self::float_add(gradient, sum)
    }

    /// Gradient for the weight, [C_out, C_in, k, k] = `weight_shape`, from `x` [N, C_in, H, W] and
    /// `output_gradient` [N, C_out, H', W'].
    fn conv2d_weight_gradient(
        x: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: ConvGeometry,
        weight_shape: Shape,
    ) -> FloatTensor<Self> {
        reference::weight_gradient::<Self>(x, output_gradient, geometry, weight_shape)
    }
}

/// 2-d convolution without bias.
///
/// # Shapes
/// - `x`: [N, C_in, H, W], `weight`: [C_out, C_in, k, k]
/// - returns [N, C_out, (H + 2·padding − k) / stride + 1, (W + 2·padding − k) / stride + 1]
///
/// # Panics
/// If the kernel is not square, the channels of `x` and `weight` differ, or the kernel is larger than the padded input.
pub fn conv2d<B: ConvOps>(x: Tensor<B, 4>, weight: Tensor<B, 4>, geometry: ConvGeometry) -> Tensor<B, 4> {
    let [_, channels, height, width] = x.dims();
    let [_, weight_channels, kernel_height, kernel_width] = weight.dims();
    assert!(
        channels == weight_channels && kernel_height == kernel_width,
        "convolution: input {:?} and weight {:?} do not fit ([N, C_in, H, W] and [C_out, C_in, k, k])",
        x.dims(),
        weight.dims(),
    );
    geometry.output_size(height, kernel_height);
    geometry.output_size(width, kernel_width);
    let out = B::conv2d_forward(x.into_primitive().tensor(), weight.into_primitive().tensor(), geometry);
    Tensor::from_primitive(TensorPrimitive::Float(out))
}
