//! The convolution trait [`ConvOps`] and the function [`conv2d`] on tensors.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, Tensor, TensorMetadata, TensorPrimitive};

use super::{input_gradient, reference};
use crate::ConvGeometry;

/// Convolution with its two gradients, overridable per backend.
///
/// All tensors have rank 4; gradients have the element type of their operands. A weight of fewer input channels than the input
/// has is that of a grouped convolution: [C_out, C_in / groups, k, k], where group g maps the g-th part of the input's channels to
/// the g-th part of the output's.
pub trait ConvOps: Backend {
    /// `x` [N, C_in, H, W] ⋆ `weight` [C_out, C_in / groups, k, k] → [N, C_out, H', W'].
    fn conv2d_forward(x: FloatTensor<Self>, weight: FloatTensor<Self>, geometry: ConvGeometry) -> FloatTensor<Self> {
        reference::forward::<Self>(x, weight, geometry)
    }

    /// Gradient with respect to the input, [N, C_in, H, W] = `input_shape`, from `weight` [C_out, C_in / groups, k, k]
    /// and
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

    /// [`conv2d_input_gradient`](Self::conv2d_input_gradient) + `sum`, the gradient of the same input accumulated so far.
    fn conv2d_input_gradient_onto(
        weight: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: ConvGeometry,
        sum: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let gradient = Self::conv2d_input_gradient(weight, output_gradient, geometry, sum.shape());
        Self::float_add(gradient, sum)
    }

    /// Gradient with respect to the weight, [C_out, C_in / groups, k, k] = `weight_shape`, from `x` [N, C_in, H, W] and
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

/// 2-D convolution without bias.
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
    forward(x, weight, geometry)
}

/// 2-D convolution in `groups` (≥ 1), without bias: group g maps the g-th part of the input's channels to the g-th part of the
/// output's.
///
/// # Shapes
/// - `x`: [N, C_in, H, W], `weight`: [C_out, C_in / groups, k, k]
/// - returns [N, C_out, (H + 2·padding − k) / stride + 1, (W + 2·padding − k) / stride + 1]
///
/// # Panics
/// If the kernel is not square, `groups` does not divide the channels, the channels of `x` and `weight` do not fit, or the kernel
/// is larger than the padded input.
pub fn grouped_conv2d<B: ConvOps>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    geometry: ConvGeometry,
    groups: usize,
) -> Tensor<B, 4> {
    let [_, channels, height, width] = x.dims();
    let [channels_out, per_group, kernel_height, kernel_width] = weight.dims();
    assert!(
        per_group * groups == channels && channels_out.is_multiple_of(groups) && kernel_height == kernel_width,
        "convolution: input {:?} and weight {:?} do not fit {groups} groups ([N, C_in, H, W] and [C_out, C_in / groups, k, k])",
        x.dims(),
        weight.dims(),
    );
    geometry.output_size(height, kernel_height);
    geometry.output_size(width, kernel_width);
    forward(x, weight, geometry)
}

fn forward<B: ConvOps>(x: Tensor<B, 4>, weight: Tensor<B, 4>, geometry: ConvGeometry) -> Tensor<B, 4> {
    let out = B::conv2d_forward(x.into_primitive().tensor(), weight.into_primitive().tensor(), geometry);
    Tensor::from_primitive(TensorPrimitive::Float(out))
}
