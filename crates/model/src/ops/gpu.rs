//! The GPU backends take the default bodies: CubeCL's own convolution, tuned at run time, is the better one there, and the
//! tensor ops of the batch norm are fused. But for one case, in which Burn's is wrong.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, Tensor, TensorMetadata, TensorPrimitive};
use burn_cubecl::cubecl::server::ComputeServer;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use burn_fusion::{Fusion, FusionBackend};

use super::{ConvGeometry, ConvOps, NormOps, PoolOps, reference};

/// [`ConvOps::conv2d_input_gradient`] where the kernel is smaller than its step, as in a ResNet's 1×1 at stride 2.
///
/// Burn 0.21's `conv_transpose2d_direct` takes the outputs under an input from a range that is empty there, so that the gradient is
/// zero everywhere. A kernel that is filled up with zeros to the size of its step has the same gradient and is in the range; the
/// rows and columns that only the zeros reach are cut off.
fn small_kernel_input_gradient<B: Backend>(
    weight: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
    geometry: ConvGeometry,
    input_shape: Shape,
) -> FloatTensor<B> {
    let ConvGeometry { stride, padding } = geometry;
    let [n, channels, height, width] = input_shape.dims();
    let [_, _, out_height, out_width] = output_gradient.shape().dims();
    let filled = fill_up(Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(weight)), stride);
    let reached = |input: usize, output: usize| input.max(output * stride - 2 * padding);
    let wider = Shape::new([n, channels, reached(height, out_height), reached(width, out_width)]);
    let filled: FloatTensor<B> = filled.into_primitive().tensor();
    let gradient = reference::input_gradient::<B>(filled, output_gradient, geometry, wider);
    let gradient = Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(gradient));
    let gradient = gradient.narrow(2, 0, height).narrow(3, 0, width);
    gradient.into_primitive().tensor()
}

/// [C_out, C_in, k, k] → [C_out, C_in, side, side] with zeros at the end of both axes.
fn fill_up<B: Backend>(weight: Tensor<B, 4>, side: usize) -> Tensor<B, 4> {
    let [to, from, kernel, _] = weight.dims();
    let options = (&weight.device(), weight.dtype());
    let below = Tensor::zeros([to, from, side - kernel, kernel], options);
    let beside = Tensor::zeros([to, from, side, side - kernel], options);
    Tensor::cat(vec![Tensor::cat(vec![weight, below], 2), beside], 3)
}

macro_rules! with_input_gradient {
    () => {
        fn conv2d_input_gradient(
            weight: FloatTensor<Self>,
            output_gradient: FloatTensor<Self>,
            geometry: ConvGeometry,
            input_shape: Shape,
        ) -> FloatTensor<Self> {
            let [_, _, kernel, _] = weight.shape().dims();
            if kernel < geometry.stride {
                small_kernel_input_gradient::<Self>(weight, output_gradient, geometry, input_shape)
            } else {
                reference::input_gradient::<Self>(weight, output_gradient, geometry, input_shape)
            }
        }
    };
}

macro_rules! for_cube_backends {
    ($ops:ident { $($body:tt)* }) => {
        impl<R, F, I, BT> $ops for CubeBackend<R, F, I, BT>
        where
            R: CubeRuntime,
            R::Server: ComputeServer,
            R::Device: burn_backend::DeviceOps,
            F: FloatElement,
            I: IntElement,
            BT: BoolElement,
        {
            $($body)*
        }

        impl<B: FusionBackend> $ops for Fusion<B> {
            $($body)*
        }
    };
}

for_cube_backends!(ConvOps { with_input_gradient!(); });
for_cube_backends!(NormOps {});
for_cube_backends!(PoolOps {});

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

    /// The CPU's operation is right for small kernels too.
    #[test]
    fn a_kernel_that_is_filled_up_has_the_same_gradient() {
        for (kernel, stride, padding) in [(1, 2, 0), (1, 3, 0), (2, 3, 0), (2, 4, 1), (3, 4, 1)] {
            for pixels in [7, 8, 9, 10, 11, 12] {
                let geometry = ConvGeometry { stride, padding };
                let side = geometry.output_size(pixels, kernel);
                let shape = Shape::new([2, 3, pixels, pixels]);
                let (weight, gradient) = (tensor([4, 3, kernel, kernel], 1), tensor([2, 4, side, side], 2));
                let expected =
                    reference::input_gradient::<Flex>(weight.clone(), gradient.clone(), geometry, shape.clone());
                let found = small_kernel_input_gradient::<Flex>(weight, gradient, geometry, shape.clone());
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
