//! A tensor as the rows that the kernels read: channels last, contiguous.

use burn::tensor::Shape;
use burn_cubecl::CubeRuntime;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::ops::{permute_nchw_to_nhwc, permute_nchw_to_nhwc_shape, permute_nhwc_to_nchw};
use burn_cubecl::tensor::CubeTensor;

/// [N, C, …] as [N, …, C] in contiguous memory: a view of what a convolution or a norm left, a copy of anything else.
pub(super) fn channels_last<R: CubeRuntime>(x: CubeTensor<R>) -> CubeTensor<R> {
    into_contiguous(permute_nchw_to_nhwc(x))
}

/// The way back, a view.
pub(super) fn channels_second<R: CubeRuntime>(x: CubeTensor<R>) -> CubeTensor<R> {
    permute_nhwc_to_nchw(x)
}

/// An uninitialised tensor of a shape.
pub(super) fn empty<R: CubeRuntime>(like: &CubeTensor<R>, shape: Shape) -> CubeTensor<R> {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), shape, like.dtype)
}

/// Rows M and channels C of [N, C, …].
pub(super) fn size<R: CubeRuntime>(x: &CubeTensor<R>) -> [usize; 2] {
    let shape = permute_nchw_to_nhwc_shape(x.meta.shape().clone());
    let channels = shape[shape.num_dims() - 1];
    [shape.num_elements() / channels.max(1), channels]
}
