//! [`ConvOps`] for CubeCL's backends.

use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape, TensorMetadata};
use burn_cubecl::cubecl::server::ComputeServer;
use burn_cubecl::ops::{
    permute_nchw_to_nhwc as last, permute_nchw_to_nhwc_shape as shape_last, permute_nhwc_to_nchw as second,
};
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};

use super::{maps, pointwise, unit};
use crate::ConvGeometry;
use crate::conv::groups::groups;
use crate::conv::input_gradient::of_small_kernel;
use crate::conv::{ConvOps, reference};

impl<R, F, I, BT> ConvOps for CubeBackend<R, F, I, BT>
where
    R: CubeRuntime,
    R::Server: ComputeServer,
    R::Device: burn_backend::DeviceOps,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    fn conv2d_forward(x: FloatTensor<Self>, weight: FloatTensor<Self>, geometry: ConvGeometry) -> FloatTensor<Self> {
        if wants_unit_tiles(&x, groups(&x.shape(), &weight.shape())) && fills_tiles(&weight.shape()) {
            let kernel = weight.shape()[2];
            let [n, _, height, width] = x.shape().dims();
            let [height, width] = [height, width].map(|side| geometry.output_size(side, kernel));
            let shape = Shape::new([n, height, width, weight.shape()[0]]);
            if let Ok(out) = unit::outputs(last(x.clone()), last(weight.clone()), geometry, &shape) {
                return second(out);
            }
        }
        reference::forward::<Self>(x, weight, geometry)
    }

    fn conv2d_input_gradient(
        weight: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: ConvGeometry,
        input_shape: Shape,
    ) -> FloatTensor<Self> {
        if weight.shape()[2] < geometry.stride {
            return of_small_kernel::<Self>(weight, output_gradient, geometry, input_shape);
        }
        // cubek's gather of outputs has no strides.
        if geometry.stride == 1 && wants_unit_tiles(&output_gradient, groups(&input_shape, &weight.shape())) {
            let shape = shape_last(input_shape.clone());
            let gradient = unit::input_gradient(last(weight.clone()), last(output_gradient.clone()), geometry, &shape);
            if let Ok(gradient) = gradient {
                return second(gradient);
            }
        }
        reference::input_gradient::<Self>(weight, output_gradient, geometry, input_shape)
    }

    fn conv2d_input_gradient_onto(
        weight: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: ConvGeometry,
        sum: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let gradient = Self::conv2d_input_gradient(weight, output_gradient, geometry, sum.shape());
        maps::sum::<Self>(gradient, sum)
    }

    fn conv2d_weight_gradient(
        x: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: ConvGeometry,
        weight_shape: Shape,
    ) -> FloatTensor<Self> {
        let groups = groups(&x.shape(), &weight_shape);
        if pointwise::is_pointwise(&weight_shape, geometry, groups) {
            return pointwise::weight_gradient::<Self>(x, output_gradient, geometry.stride, weight_shape);
        }
        if wants_unit_tiles(&x, groups) && fills_tiles(&weight_shape) {
            let shape = shape_last(weight_shape.clone());
            let gradient = unit::weight_gradient(last(x.clone()), last(output_gradient.clone()), geometry, &shape);
            if let Ok(gradient) = gradient {
                return second(gradient);
            }
        }
        reference::weight_gradient::<Self>(x, output_gradient, geometry, weight_shape)
    }
}

/// Channels below which a tile of registers is mostly empty, and a thread per output is faster.
const LEAST_CHANNELS: usize = 32;

/// Whether a convolution or its weight gradient has enough channels for tiles. Measured on Mesa's software driver: 1.5 to 3.8 times
/// as fast with 64 channels or more, 0.1 to 0.7 times with 16 or fewer. The input gradient, whose other kernel goes through
/// columns, is faster in tiles at any number of channels.
fn fills_tiles(weight_shape: &Shape) -> bool {
    weight_shape[0].min(weight_shape[1]) >= LEAST_CHANNELS
}

/// Whether CubeCL has no other kernel for a convolution than the one with a thread per output: on a device without matrix units,
/// such as all that kernels are compiled to WGSL for.
fn wants_unit_tiles<R: CubeRuntime>(x: &CubeTensor<R>, groups: usize) -> bool {
    let matmul = &x.client.properties().features.matmul;
    groups == 1 && x.dtype == DType::F32 && matmul.cmma.is_empty() && matmul.mma.is_empty()
}
