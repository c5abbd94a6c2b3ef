//! [`ConvOps`] for the GPU backends: CubeCL's convolutions, which are tuned at run time; sums in their memory layout; and the weight
//! gradients of 1×1 convolutions.
//!
//! CubeCL computes a weight gradient as one product of depth N·H·W with a block of threads per 64 × 64 weights and no split of the
//! depth. For the 64 × 64 weights of a ResNet-50's first stage that is 8 blocks on a GPU of a hundred multiprocessors. Here the
//! depth is split: a batch of products of fewer rows, and their sum.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, Slice, Tensor, TensorMetadata, TensorPrimitive};
use burn_cubecl::cubecl::server::ComputeServer;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use burn_fusion::{Fusion, FusionBackend};

use super::groups::groups;
use super::{ConvOps, reference};
use crate::ConvGeometry;

impl<R, F, I, BT> ConvOps for CubeBackend<R, F, I, BT>
where
    R: CubeRuntime,
    R::Server: ComputeServer,
    R::Device: burn_backend::DeviceOps,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    fn conv2d_input_gradient_onto(
        weight: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: ConvGeometry,
        sum: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        onto::<Self>(weight, output_gradient, geometry, sum)
    }

    fn conv2d_weight_gradient(
        x: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: ConvGeometry,
        weight_shape: Shape,
    ) -> FloatTensor<Self> {
        weight_gradient::<Self>(x, output_gradient, geometry, weight_shape)
    }
}

impl<B: FusionBackend> ConvOps for Fusion<B> {
    fn conv2d_input_gradient_onto(
        weight: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: ConvGeometry,
        sum: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        onto::<Self>(weight, output_gradient, geometry, sum)
    }

    fn conv2d_weight_gradient(
        x: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: ConvGeometry,
        weight_shape: Shape,
    ) -> FloatTensor<Self> {
        weight_gradient::<Self>(x, output_gradient, geometry, weight_shape)
    }
}

/// The sum of maps that are channels last in memory. As [N, C, H, W] its result would be in that order, which the next
/// convolution and norm would copy back.
fn onto<B: ConvOps>(
    weight: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    geometry: ConvGeometry,
    sum: FloatTensor<B>,
) -> FloatTensor<B> {
    let shape = sum.shape();
    let gradient = B::conv2d_input_gradient(weight, output_gradient, geometry, shape);
    let last = |maps| B::float_permute(maps, &[0, 2, 3, 1]);
    B::float_permute(B::float_add(last(gradient), last(sum)), &[0, 3, 1, 2])
}

/// Weights of a block of a product.
const BLOCK: usize = 64 * 64;
/// Blocks that occupy the largest GPUs.
const BLOCKS: usize = 512;
/// Rows of a part at least: fewer cost more in sums than they gain in parallelism.
const LEAST_ROWS: usize = 256;

fn weight_gradient<B: Backend>(
    x: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    geometry: ConvGeometry,
    weight_shape: Shape,
) -> FloatTensor<B> {
    let [_, _, kernel, _] = weight_shape.dims();
    let is_pointwise = kernel == 1 && geometry.padding == 0 && groups(&x.shape(), &weight_shape) == 1;
    if is_pointwise {
        of_pointwise::<B>(x, output_gradient, geometry.stride, weight_shape)
    } else {
        reference::weight_gradient::<B>(x, output_gradient, geometry, weight_shape)
    }
}

/// The weight gradient of a 1×1 convolution without padding: dYᵀ·X over the pixels that it reads.
fn of_pointwise<B: Backend>(
    x: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    stride: usize,
    weight_shape: Shape,
) -> FloatTensor<B> {
    let [channels_out, channels, _, _] = weight_shape.dims();
    let [x, dy] = [x, output_gradient].map(|maps| {
        let maps = Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(maps));
        maps.permute([0, 2, 3, 1])
    });
    let every = Slice::new(0, None, stride as isize);
    let x = match stride {
        1 => x,
        _ => x.slice([Slice::full(), every, every, Slice::full()]),
    };
    let [n, height, width, _] = dy.dims();
    let rows = n * height * width;
    let parts = parts(rows, channels * channels_out);
    let x = x.reshape([parts, rows / parts, channels]);
    let dy = dy.reshape([parts, rows / parts, channels_out]);
    let products = dy.swap_dims(1, 2).matmul(x);
    let sum = match parts {
        1 => products,
        _ => products.sum_dim(0),
    };
    sum.reshape([channels_out, channels, 1, 1]).into_primitive().tensor()
}

/// Into how many equal parts rows are split: as many as it takes to occupy a GPU, if they do not become too short.
fn parts(rows: usize, weights: usize) -> usize {
    let wanted = (BLOCKS / weights.div_ceil(BLOCK)).min(rows / LEAST_ROWS).max(1);
    let divides = |parts: &usize| rows.is_multiple_of(*parts);
    (1..=wanted).rev().find(divides).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn rows_are_split_until_the_gpu_is_full_or_the_parts_are_short() {
        // The stages of a ResNet-50 at 224 pixels and 64 images.
        assert_eq!(parts(64 * 56 * 56, 64 * 64), 512);
        assert_eq!(parts(64 * 56 * 56, 64 * 256), 128);
        assert_eq!(parts(64 * 7 * 7, 512 * 2048), 2);
        assert_eq!(parts(64 * 7 * 7, 64 * 64), 8);
        // A prime number of rows.
        assert_eq!(parts(1_000_003, 64 * 64), 1);
        assert_eq!(parts(1, 1), 1);
    }
}
