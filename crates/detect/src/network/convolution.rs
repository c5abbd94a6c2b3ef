//! Convolution with a bias, stride 1: those of a ResNet have none.

use barlow_model::normal_values;
use barlow_ops::{ConvGeometry, ConvOps, conv2d};
use burn::module::{Module, Param, ParamId};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// Convolution with a square kernel, stride 1 and a bias; an odd kernel preserves the size.
#[derive(Module, Debug)]
pub struct Conv2d<B: Backend> {
    /// [C_out, C_in, k, k]
    pub weight: Param<Tensor<B, 4>>,
    /// `[C_out]`
    pub bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> Conv2d<B> {
    /// Normal weights of standard deviation `std`, keyed by (seed, name), and a bias of 0. `shape` is [C_out, C_in, k, k].
    pub(super) fn new(shape: [usize; 4], std: f64, (seed, name): (u64, &str), device: &B::Device) -> Self {
        Self {
            weight: normal(shape, std, (seed, name), device),
            bias: Param::from_tensor(Tensor::zeros([shape[0]], device)),
        }
    }
}

impl<B: ConvOps> Conv2d<B> {
    /// [N, C_in, H, W] → [N, C_out, H, W].
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let weight = self.weight.val();
        let [channels, _, kernel, _] = weight.dims();
        let geometry = ConvGeometry {
            stride: 1,
            padding: kernel / 2,
        };
        conv2d(x, weight, geometry) + self.bias.val().reshape([1, channels, 1, 1])
    }
}

/// A parameter of normal values with mean 0, drawn on first use.
pub(super) fn normal<B: Backend, const D: usize>(
    shape: [usize; D],
    std: f64,
    (seed, name): (u64, &str),
    device: &B::Device,
) -> Param<Tensor<B, D>> {
    let name = name.to_owned();
    let values = move |device: &B::Device, require_grad| {
        let values = normal_values(seed, &name, shape.iter().product(), std);
        Tensor::from_data(TensorData::new(values, shape), device).set_require_grad(require_grad)
    };
    Param::uninitialized(ParamId::new(), values, device.clone(), true, shape.into())
}
