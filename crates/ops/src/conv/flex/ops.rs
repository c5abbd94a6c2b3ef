//! [`ConvOps`] for the CPU backend: converts tensors to slices and back. Grouped convolutions are Burn's own.

use barlow_simd::Level;
use burn::tensor::ops::{FloatTensor, FloatTensorOps};
use burn::tensor::{DType, Shape, TensorMetadata};
use burn_flex::{Flex, FlexTensor};

use super::shape::ConvShape;
use super::weight_gradient::weight_gradient;
use crate::conv::groups::groups;
use crate::conv::reference;
use crate::cpu::tensors::{contiguous, tensor};
use crate::{ConvGeometry, ConvOps};

impl ConvOps for Flex {
    fn conv2d_forward(x: FloatTensor<Self>, weight: FloatTensor<Self>, geometry: ConvGeometry) -> FloatTensor<Self> {
        if !all_f32(&x, &weight) || groups(&x.shape(), &weight.shape()) > 1 {
            return reference::forward::<Self>(x, weight, geometry);
        }
        let shape = ConvShape::new(x.shape().dims(), weight.shape().dims(), geometry);
        let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
        let out = shape
            .convolution()
            .run(Level::current(), x.storage(), weight.storage(), false);
        tensor(out, shape.output_dims().into())
    }

    fn conv2d_input_gradient(
        weight: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: ConvGeometry,
        input_shape: Shape,
    ) -> FloatTensor<Self> {
        if !all_f32(&weight, &output_gradient) || groups(&input_shape, &weight.shape()) > 1 {
            return reference::input_gradient::<Self>(weight, output_gradient, geometry, input_shape);
        }
        let shape = ConvShape::new(input_shape.dims(), weight.shape().dims(), geometry);
        check_output(&shape, &output_gradient);
        let (weight, output_gradient) = (weight.to_contiguous(), output_gradient.to_contiguous());
        let gradient = shape
            .input_gradient()
            .run(Level::current(), output_gradient.storage(), weight.storage(), true);
        tensor(gradient, input_shape)
    }

    fn conv2d_input_gradient_onto(
        weight: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: ConvGeometry,
        sum: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        if groups(&sum.shape(), &weight.shape()) > 1 {
            let gradient = Self::conv2d_input_gradient(weight, output_gradient, geometry, sum.shape());
            return Self::float_add(gradient, sum);
        }
        let mut sum = contiguous(sum);
        let is_supported = all_f32(&weight, &output_gradient) && sum.dtype() == DType::F32 && sum.is_unique();
        let shape = ConvShape::new(sum.shape().dims(), weight.shape().dims(), geometry);
        check_output(&shape, &output_gradient);
        let (weight, output_gradient) = (weight.to_contiguous(), output_gradient.to_contiguous());
        if is_supported && let Some(sum) = sum.try_storage_mut() {
            let (dy, weight) = (output_gradient.storage(), weight.storage());
            shape.input_gradient().add(Level::current(), dy, weight, true, sum);
        } else {
            let gradient = Self::conv2d_input_gradient(weight, output_gradient, geometry, sum.shape());
            sum = Self::float_add(gradient, sum);
        }
        sum
    }

    fn conv2d_weight_gradient(
        x: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
        geometry: ConvGeometry,
        weight_shape: Shape,
    ) -> FloatTensor<Self> {
        if !all_f32(&x, &output_gradient) || groups(&x.shape(), &weight_shape) > 1 {
            return reference::weight_gradient::<Self>(x, output_gradient, geometry, weight_shape);
        }
        let shape = ConvShape::new(x.shape().dims(), weight_shape.dims(), geometry);
        check_output(&shape, &output_gradient);
        let (x, output_gradient) = (x.to_contiguous(), output_gradient.to_contiguous());
        let gradient = weight_gradient(Level::current(), &shape, x.storage(), output_gradient.storage());
        tensor(gradient, weight_shape)
    }
}

fn all_f32(a: &FlexTensor, b: &FlexTensor) -> bool {
    a.dtype() == DType::F32 && b.dtype() == DType::F32
}

fn check_output(shape: &ConvShape, output_gradient: &FlexTensor) {
    let (expected, given): ([usize; 4], [usize; 4]) = (shape.output_dims(), output_gradient.shape().dims());
    assert!(
        expected == given,
        "convolution: the output gradient has shape {given:?}, the output {expected:?}"
    );
}
