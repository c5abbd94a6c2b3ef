//! The input gradient of a convolution whose kernel is smaller than its stride, such as a ResNet's 1×1 at stride 2.
//!
//! In this case Burn 0.21's transposed convolution returns zeros on CUDA and WGPU: `conv_transpose2d_direct` iterates over an
//! empty range of outputs for each input. With such a kernel no two outputs read the same pixel, so the gradient is a product
//! over channels for each tap (a 1×1 convolution), written to the pixels that the tap reads.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, Slice, Tensor, TensorMetadata, TensorPrimitive};

use super::groups::groups;
use super::reference;
use crate::ConvGeometry;

const EVERY_PIXEL: ConvGeometry = ConvGeometry { stride: 1, padding: 0 };

/// [`ConvOps::conv2d_input_gradient`](super::ConvOps::conv2d_input_gradient) for kernels smaller than the stride.
pub fn of_small_kernel<B: Backend>(
    weight: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    geometry: ConvGeometry,
    input_shape: Shape,
) -> FloatTensor<B> {
    let groups = groups(&input_shape, &weight.shape());
    let weight = Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(weight));
    let output_gradient = Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(output_gradient));
    let [n, channels, height, width] = input_shape.dims();
    let [_, _, kernel, _] = weight.dims();
    let [_, _, out_height, out_width] = output_gradient.dims();
    let options = (&output_gradient.device(), output_gradient.dtype());
    // Channels last, as the convolutions on GPUs leave their outputs and read their inputs.
    let mut gradient = Tensor::<B, 4>::zeros([n, height, width, channels], options);
    for row in 0..kernel {
        let Some([from_rows, to_rows]) = read_by(row, geometry, height, out_height) else {
            continue;
        };
        for column in 0..kernel {
            let Some([from_columns, to_columns]) = read_by(column, geometry, width, out_width) else {
                continue;
            };
            let tap = transposed(weight.clone().narrow(2, row, 1).narrow(3, column, 1), groups);
            let read = output_gradient
                .clone()
                .slice([Slice::full(), Slice::full(), from_rows, from_columns]);
            let values = reference::forward::<B>(
                read.into_primitive().tensor(),
                tap.into_primitive().tensor(),
                EVERY_PIXEL,
            );
            let values = Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(values));
            let values = values.permute([0, 2, 3, 1]);
            gradient = gradient.slice_assign([Slice::full(), to_rows, to_columns, Slice::full()], values);
        }
    }
    gradient.permute([0, 3, 1, 2]).into_primitive().tensor()
}

/// A tap's weights [C_out, C_in / groups, 1, 1] as those of the way back, [C_in, C_out / groups, 1, 1].
fn transposed<B: Backend>(tap: Tensor<B, 4>, groups: usize) -> Tensor<B, 4> {
    let [channels_out, per_group, _, _] = tap.dims();
    let per_group_out = channels_out / groups;
    tap.reshape([groups, per_group_out, per_group, 1])
        .swap_dims(1, 2)
        .reshape([groups * per_group, per_group_out, 1, 1])
}

/// Along an axis of `inputs` pixels: the outputs for which a tap reads a pixel and not padding, and those pixels.
fn read_by(tap: usize, geometry: ConvGeometry, inputs: usize, outputs: usize) -> Option<[Slice; 2]> {
    let ConvGeometry { stride, padding } = geometry;
    let pixel = |output: usize| output * stride + tap - padding;
    let first = padding.saturating_sub(tap).div_ceil(stride);
    let end = (inputs + padding).saturating_sub(tap).div_ceil(stride).min(outputs);
    (first < end).then(|| {
        [
            Slice::from(first..end),
            Slice::new(
                pixel(first) as isize,
                Some(pixel(end - 1) as isize + 1),
                stride as isize,
            ),
        ]
    })
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::*;
    use burn::tensor::TensorData;
    use burn_flex::{Flex, FlexDevice};

    fn tensor(shape: [usize; 4], seed: usize) -> FloatTensor<Flex> {
        let value = |i: usize| (((i * 2_654_435_761 + seed * 97) % 1_000_003) as f32 * 0.37).sin();
        let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
        Tensor::<Flex, 4>::from_data(TensorData::new(values, shape), &FlexDevice)
            .into_primitive()
            .tensor()
    }

    fn values(tensor: FloatTensor<Flex>) -> Vec<f32> {
        let tensor = Tensor::<Flex, 4>::from_primitive(TensorPrimitive::Float(tensor));
        tensor.into_data().to_vec().unwrap()
    }

    /// Burn's operation is correct on the CPU, also for these kernels.
    #[test]
    fn the_gradient_is_that_of_burns_own_operation() {
        for (kernel, stride) in [(1, 2), (1, 3), (2, 3), (1, 4), (2, 4), (3, 4)] {
            for padding in 0..=kernel {
                compare(kernel, ConvGeometry { stride, padding });
            }
        }
    }

    #[test]
    fn groups_stay_apart() {
        compare_groups(1, ConvGeometry { stride: 2, padding: 0 }, [6, 8], 2);
        compare_groups(2, ConvGeometry { stride: 3, padding: 1 }, [6, 3], 3);
    }

    fn compare(kernel: usize, geometry: ConvGeometry) {
        compare_groups(kernel, geometry, [3, 4], 1);
    }

    fn compare_groups(kernel: usize, geometry: ConvGeometry, [channels_in, channels_out]: [usize; 2], groups: usize) {
        for (height, width) in [(7, 12), (8, 9), (10, 11), (12, 7)] {
            let [rows, columns] = [height, width].map(|side| geometry.output_size(side, kernel));
            let shape = Shape::new([2, channels_in, height, width]);
            let (weight, gradient) = (
                tensor([channels_out, channels_in / groups, kernel, kernel], 1),
                tensor([2, channels_out, rows, columns], 2),
            );
            let expected = reference::input_gradient::<Flex>(weight.clone(), gradient.clone(), geometry, shape.clone());
            let found = of_small_kernel::<Flex>(weight, gradient, geometry, shape.clone());
            assert_eq!(found.shape(), shape);
            let (expected, found) = (values(expected), values(found));
            assert!(
                expected.iter().any(|value| value.abs() > 0.1),
                "there is something to compare"
            );
            for (expected, found) in expected.iter().zip(&found) {
                assert!(
                    (expected - found).abs() < 1e-6,
                    "k {kernel}, {geometry:?}, {height} x {width}: {expected}, {found}"
                );
            }
        }
    }
}
