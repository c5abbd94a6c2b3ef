//! The weight gradient of a 1×1 convolution as a batch of products.
//!
//! CubeCL computes a weight gradient as one product of depth N·H·W with a block of threads per 64 × 64 weights and no split of the
//! depth. For the 64 × 64 weights of a ResNet-50's first stage that is 8 blocks on a GPU of a hundred multiprocessors. Here the
//! depth is split: a batch of products of fewer rows, and their sum.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, Slice, Tensor, TensorPrimitive};

use crate::ConvGeometry;

/// Weights of a block of a product.
const BLOCK: usize = 64 * 64;
/// Blocks that occupy the largest GPUs.
const BLOCKS: usize = 512;
/// Rows of a part at least: fewer cost more in sums than they gain in parallelism.
const LEAST_ROWS: usize = 256;

/// Whether the weights of a shape in one group are those of a 1×1 convolution without padding.
pub(super) fn is_pointwise(weight_shape: &Shape, geometry: ConvGeometry, groups: usize) -> bool {
    weight_shape[2] == 1 && geometry.padding == 0 && groups == 1
}

/// The weight gradient of a 1×1 convolution without padding: dYᵀ·X over the pixels that it reads.
pub(super) fn weight_gradient<B: Backend>(
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
