//! [`PoolOps`] for the GPU backends: CubeCL's max pooling, and means in the memory layout of convolutions, channels last.

use burn::tensor::Shape;
use burn::tensor::Tensor;
use burn::tensor::TensorPrimitive;
use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn_cubecl::cubecl::server::ComputeServer;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use burn_fusion::{Fusion, FusionBackend};

use super::PoolOps;

impl<R, F, I, BT> PoolOps for CubeBackend<R, F, I, BT>
where
    R: CubeRuntime,
    R::Server: ComputeServer,
    R::Device: burn_backend::DeviceOps,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    fn mean_pool2d_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        mean::<Self>(x)
    }

    fn mean_pool2d_backward(output_gradient: FloatTensor<Self>, input_shape: Shape) -> FloatTensor<Self> {
        mean_gradient::<Self>(output_gradient, input_shape)
    }
}

impl<B: FusionBackend> PoolOps for Fusion<B> {
    fn mean_pool2d_forward(x: FloatTensor<Self>) -> FloatTensor<Self> {
        mean::<Self>(x)
    }

    fn mean_pool2d_backward(output_gradient: FloatTensor<Self>, input_shape: Shape) -> FloatTensor<Self> {
        mean_gradient::<Self>(output_gradient, input_shape)
    }
}

fn mean<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let x = Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(x));
    let [n, channels, height, width] = x.dims();
    let pixels = x.permute([0, 2, 3, 1]).reshape([n, height * width, channels]);
    pixels.mean_dim(1).reshape([n, channels]).into_primitive().tensor()
}

fn mean_gradient<B: Backend>(output_gradient: FloatTensor<B>, input_shape: Shape) -> FloatTensor<B> {
    let gradient = Tensor::<B, 2>::from_primitive(TensorPrimitive::Float(output_gradient));
    let [n, channels, height, width] = input_shape.dims();
    let share = gradient
        .div_scalar((height * width) as f64)
        .reshape([n, 1, channels])
        .repeat_dim(1, height * width);
    let maps = share.reshape([n, height, width, channels]).permute([0, 3, 1, 2]);
    maps.into_primitive().tensor()
}
