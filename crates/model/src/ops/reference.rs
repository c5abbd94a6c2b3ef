//! The convolution and its gradients as Burn's own ops: the default bodies of [`ConvOps`](super::ConvOps), the way out of a
//! backend that overrides them for some element types only, and what the tests compare with.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, Tensor, TensorMetadata, TensorPrimitive};

use super::ConvGeometry;

/// [`ConvOps::conv2d_forward`](super::ConvOps::conv2d_forward) by Burn's own op.
pub fn forward<B: Backend>(x: FloatTensor<B>, weight: FloatTensor<B>, geometry: ConvGeometry) -> FloatTensor<B> {
    B::conv2d(x, weight, None, geometry.options())
}

/// [`ConvOps::conv2d_input_gradient`](super::ConvOps::conv2d_input_gradient) by Burn's own op; a kernel smaller than its stride, as in a
/// ResNet's 1×1 at stride 2, is filled up with zeros to it.
///
/// Burn 0.21's `conv_transpose2d_direct` (CUDA, WGPU) takes the outputs under an input from a range that is empty for such a kernel, so
/// that the gradient is zero everywhere. The filled one has the same gradient and is in the range; the rows and columns that only the
/// zeros reach are cut off.
pub fn input_gradient<B: Backend>(
    weight: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    geometry: ConvGeometry,
    input_shape: Shape,
) -> FloatTensor<B> {
    let ConvGeometry { stride, padding } = geometry;
    let [_, _, kernel, _] = weight.shape().dims();
    if kernel >= stride {
        return burns_input_gradient::<B>(weight, output_gradient, geometry, input_shape);
    }
    let [n, channels, height, width] = input_shape.dims();
    let [_, _, out_height, out_width] = output_gradient.shape().dims();
    let filled = fill_up(Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(weight)), stride);
    let reached = |input: usize, output: usize| input.max(output * stride - 2 * padding);
    let wider = Shape::new([n, channels, reached(height, out_height), reached(width, out_width)]);
    let gradient = burns_input_gradient::<B>(filled.into_primitive().tensor(), output_gradient, geometry, wider);
    let gradient = Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(gradient));
    gradient
        .narrow(2, 0, height)
        .narrow(3, 0, width)
        .into_primitive()
        .tensor()
}

/// [C_out, C_in, k, k] → [C_out, C_in, side, side] with zeros at the end of both axes.
fn fill_up<B: Backend>(weight: Tensor<B, 4>, side: usize) -> Tensor<B, 4> {
    let [to, from, kernel, _] = weight.dims();
    let options = (&weight.device(), weight.dtype());
    let below = Tensor::zeros([to, from, side - kernel, kernel], options);
    let beside = Tensor::zeros([to, from, side, side - kernel], options);
    Tensor::cat(vec![Tensor::cat(vec![weight, below], 2), beside], 3)
}

fn burns_input_gradient<B: Backend>(
    weight: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    geometry: ConvGeometry,
    input_shape: Shape,
) -> FloatTensor<B> {
    // Burn's op asks for the input, of which it uses the shape alone.
    let x = B::float_empty(
        input_shape,
        &B::float_device(&output_gradient),
        output_gradient.dtype().into(),
    );
    B::conv2d_x_backward(x, weight, output_gradient, geometry.options())
}

/// [`ConvOps::conv2d_weight_gradient`](super::ConvOps::conv2d_weight_gradient) by Burn's own op.
pub fn weight_gradient<B: Backend>(
    x: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    geometry: ConvGeometry,
    weight_shape: Shape,
) -> FloatTensor<B> {
    // Burn's op asks for the weight, of which it uses the shape alone.
    let weight = B::float_empty(weight_shape, &B::float_device(&x), x.dtype().into());
    B::conv2d_weight_backward(x, weight, output_gradient, geometry.options())
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

    /// Burn's operation on the CPU is right for small kernels too.
    #[test]
    fn a_kernel_that_is_filled_up_has_the_same_gradient() {
        for (kernel, stride, padding) in [(1, 2, 0), (1, 3, 0), (2, 3, 0), (2, 4, 1), (3, 4, 1)] {
            for pixels in [7, 8, 9, 10, 11, 12] {
                let geometry = ConvGeometry { stride, padding };
                let side = geometry.output_size(pixels, kernel);
                let shape = Shape::new([2, 3, pixels, pixels]);
                let (weight, gradient) = (tensor([4, 3, kernel, kernel], 1), tensor([2, 4, side, side], 2));
                let expected = burns_input_gradient::<Flex>(weight.clone(), gradient.clone(), geometry, shape.clone());
                let found = input_gradient::<Flex>(weight, gradient, geometry, shape.clone());
                let [expected, found] = [expected, found].map(|tensor| {
                    let tensor = Tensor::<Flex, 4>::from_primitive(TensorPrimitive::Float(tensor));
                    tensor.into_data().to_vec::<f32>().unwrap()
                });
                for (expected, found) in expected.iter().zip(&found) {
                    assert!(
                        (expected - found).abs() < 1e-6,
                        "k {kernel}, s {stride}, p {padding}, {pixels} px"
                    );
                }
                assert!(expected.iter().any(|value| *value != 0.0) && expected.len() == found.len());
            }
        }
    }
}
