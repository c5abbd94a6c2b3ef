//! [`ConvOps`] for the fusion layer: convolutions are queued for the inner backend, which selects their kernels.

use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, TensorMetadata};
use burn_fusion::{Fusion, FusionBackend};

use super::{maps, pointwise};
use crate::ConvGeometry;
use crate::conv::ConvOps;
use crate::conv::groups::groups;
use crate::conv::input_gradient::of_small_kernel;
use crate::gpu::queue::{queue, take};

impl<B: FusionBackend + ConvOps> ConvOps for Fusion<B> {
    fn conv2d_forward(x: FloatTensor<Self>, weight: FloatTensor<Self>, geometry: ConvGeometry) -> FloatTensor<Self> {
        let [n, _, height, width] = x.shape().dims();
        let [channels, _, kernel, _] = weight.shape().dims();
        let [height, width] = [height, width].map(|side| geometry.output_size(side, kernel));
        let shape = Shape::new([n, channels, height, width]);
        let [out] = queue::<B, 1>("barlow_conv2d", vec![x, weight], [shape], move |inputs| {
            let [x, weight] = take(inputs);
            [B::conv2d_forward(x, weight, geometry)]
        });
        out
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
        let (inputs, shapes) = (vec![output_gradient, weight], [input_shape.clone()]);
        let [gradient] = queue::<B, 1>("barlow_conv2d_input_gradient", inputs, shapes, move |inputs| {
            let [output_gradient, weight] = take(inputs);
            [B::conv2d_input_gradient(
                weight,
                output_gradient,
                geometry,
                input_shape.clone(),
            )]
        });
        gradient
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
        // In tensor operations, so that what follows is fused with the sum.
        if pointwise::is_pointwise(&weight_shape, geometry, groups(&x.shape(), &weight_shape)) {
            return pointwise::weight_gradient::<Self>(x, output_gradient, geometry.stride, weight_shape);
        }
        let (inputs, shapes) = (vec![x, output_gradient], [weight_shape.clone()]);
        let [gradient] = queue::<B, 1>("barlow_conv2d_weight_gradient", inputs, shapes, move |inputs| {
            let [x, output_gradient] = take(inputs);
            [B::conv2d_weight_gradient(
                x,
                output_gradient,
                geometry,
                weight_shape.clone(),
            )]
        });
        gradient
    }
}
