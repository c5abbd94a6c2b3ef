//! The gradient of a convolution for its input as forward convolutions of the gradient for its output: the default body of
//! [`ConvOps::conv2d_input_gradient`](super::ConvOps::conv2d_input_gradient), and so what CUDA and WGPU compute.
//!
//! Burn 0.21's transposed convolution gives zeros there where the kernel is smaller than its stride (`conv_transpose2d_direct` takes the
//! outputs under an input from a range that is empty), as in a ResNet's 1×1 at stride 2. And its tuning, with a tuning of matrix products
//! inside, takes ten times as long as the forward convolution's, for a kernel that is no faster.
//!
//! Along one axis, output `o` reads pixel `o·stride + tap − padding`. So pixel `stride·m + first` is read by the taps
//! `stride·t + (first + padding) % stride` alone, from output `m − t + (first + padding) / stride`: the pixels of one remainder are an
//! ordinary convolution, at stride 1, with the taps of one remainder in reverse order.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{ConvOptions, FloatTensor};
use burn::tensor::{Shape, Slice, Tensor, TensorPrimitive};

use super::ConvGeometry;

/// As [`ConvOps::conv2d_input_gradient`](super::ConvOps::conv2d_input_gradient).
pub fn by_forward<B: Backend>(
    weight: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    geometry: ConvGeometry,
    input_shape: Shape,
) -> FloatTensor<B> {
    let weight = Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(weight));
    let output_gradient = Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(output_gradient));
    let [_, _, height, width] = input_shape.dims();
    let [_, _, kernel, _] = weight.dims();
    let [_, _, out_height, out_width] = output_gradient.dims();
    let rows = Class::all(geometry, kernel, height, out_height);
    let columns = Class::all(geometry, kernel, width, out_width);
    let gradient = match (rows.as_slice(), columns.as_slice()) {
        ([row], [column]) if geometry.stride == 1 => of_class(&weight, output_gradient, row, column, 1),
        _ => {
            let options = (&output_gradient.device(), output_gradient.dtype());
            let mut gradient = Tensor::zeros(input_shape, options);
            for row in &rows {
                for column in &columns {
                    let values = of_class(&weight, output_gradient.clone(), row, column, geometry.stride);
                    let [rows, columns] = [row, column].map(|class| every(class.first, geometry.stride));
                    gradient = gradient.slice_assign([Slice::full(), Slice::full(), rows, columns], values);
                }
            }
            gradient
        }
    };
    gradient.into_primitive().tensor()
}

/// The pixels of an axis that have the same remainder by the stride, of which there is at least one, and the taps that read them.
#[derive(Debug, PartialEq, Eq)]
struct Class {
    /// First pixel, which is the remainder.
    first: usize,
    pixels: usize,
    /// First tap, which is a remainder too.
    tap: usize,
    taps: usize,
    /// Zeros on both sides of the gradient for the output.
    padding: usize,
    /// Results of the convolution before that of the first pixel.
    skipped: usize,
}

impl Class {
    /// Of an axis with `inputs` pixels and `outputs`; pixels that no tap reads are in none.
    fn all(geometry: ConvGeometry, kernel: usize, inputs: usize, outputs: usize) -> Vec<Self> {
        let ConvGeometry { stride, padding } = geometry;
        let class = |first: usize| {
            let (tap, shift) = ((first + padding) % stride, (first + padding) / stride);
            let taps = kernel.saturating_sub(tap).div_ceil(stride);
            let pixels = (inputs - first).div_ceil(stride);
            // Enough for the first pixel's taps and for the last one's.
            let padding = (taps.saturating_sub(shift + 1)).max((pixels + shift).saturating_sub(outputs));
            (taps > 0).then(|| Self {
                first,
                pixels,
                tap,
                taps,
                padding,
                skipped: shift + padding + 1 - taps,
            })
        };
        (0..stride.min(inputs)).filter_map(class).collect()
    }
}

fn every(first: usize, stride: usize) -> Slice {
    Slice::new(first as isize, None, stride as isize)
}

/// [N, C_in, rows, columns]: the gradient for the pixels of two classes.
fn of_class<B: Backend>(
    weight: &Tensor<B, 4>,
    output_gradient: Tensor<B, 4>,
    row: &Class,
    column: &Class,
    stride: usize,
) -> Tensor<B, 4> {
    let mut weight = weight.clone();
    if stride > 1 {
        let [rows, columns] = [row.tap, column.tap].map(|tap| every(tap, stride));
        weight = weight.slice([Slice::full(), Slice::full(), rows, columns]);
    }
    if row.taps > 1 || column.taps > 1 {
        weight = weight.flip([2, 3]);
    }
    let options = ConvOptions::new([1, 1], [row.padding, column.padding], [1, 1], 1);
    let values = B::conv2d(
        output_gradient.into_primitive().tensor(),
        weight.swap_dims(0, 1).into_primitive().tensor(),
        None,
        options,
    );
    let values = Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(values));
    let values = part(values, 2, row);
    part(values, 3, column)
}

/// What a class needs of an axis of the convolution's result.
fn part<B: Backend>(values: Tensor<B, 4>, axis: usize, class: &Class) -> Tensor<B, 4> {
    if values.dims()[axis] == class.pixels {
        return values;
    }
    values.narrow(axis, class.skipped, class.pixels)
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use super::super::reference;
    use super::*;
    use burn::tensor::{TensorData, TensorMetadata};
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

    /// Burn's operation is right on the CPU, for kernels smaller than their stride too.
    #[test]
    fn the_gradient_is_that_of_burns_own_operation() {
        let kernels_and_strides = [1, 2, 3, 4, 5, 7].map(|kernel| [1, 2, 3, 4].map(|stride| (kernel, stride)));
        for (kernel, stride) in kernels_and_strides.into_iter().flatten() {
            for padding in 0..=kernel {
                compare(kernel, ConvGeometry { stride, padding });
            }
        }
    }

    fn compare(kernel: usize, geometry: ConvGeometry) {
        for (height, width) in [(7, 12), (8, 9), (10, 11), (12, 7)] {
            let [rows, columns] = [height, width].map(|side| geometry.output_size(side, kernel));
            let shape = Shape::new([2, 3, height, width]);
            let (weight, gradient) = (tensor([4, 3, kernel, kernel], 1), tensor([2, 4, rows, columns], 2));
            let expected = reference::input_gradient::<Flex>(weight.clone(), gradient.clone(), geometry, shape.clone());
            let found = by_forward::<Flex>(weight, gradient, geometry, shape.clone());
            assert_eq!(found.shape(), shape);
            let (expected, found) = (values(expected), values(found));
            let largest = expected.iter().fold(0f32, |most, value| most.max(value.abs()));
            assert!(largest > 0.1, "there is something to compare");
            for (expected, found) in expected.iter().zip(&found) {
                assert!(
                    (expected - found).abs() < 1e-5 * largest,
                    "k {kernel}, {geometry:?}, {height} x {width}: {expected}, {found}"
                );
            }
        }
    }

    /// A 3×3 at stride 2 multiplies no zero of a gradient that was spread.
    #[test]
    fn a_stride_of_two_has_classes_of_one_and_two_taps() {
        let geometry = ConvGeometry { stride: 2, padding: 1 };
        let taps: Vec<_> = Class::all(geometry, 3, 8, 4)
            .iter()
            .map(|class| (class.first, class.tap, class.taps, class.pixels))
            .collect();
        assert_eq!(taps, [(0, 1, 1, 4), (1, 0, 2, 4)]);
        let small = Class::all(ConvGeometry { stride: 2, padding: 0 }, 1, 7, 4);
        assert_eq!(small.len(), 1, "odd pixels are read by nothing: {small:?}");
        assert_eq!((small[0].padding, small[0].skipped), (0, 0));
    }
}
