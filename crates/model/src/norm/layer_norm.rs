//! Layer norm over rows, exported under torch's names.

use barlow_ops::{TransformerOps, layer_norm};
use burn::module::{Module, Param, ParamId};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Layer norm: y = (x − mean) / √(variance + ε) · weight + bias with the statistics of each row. It has no mode and no running
/// statistics.
#[derive(Module, Debug)]
pub struct LayerNorm<B: Backend> {
    /// `[D]`, initially 1.
    pub weight: Param<Tensor<B, 1>>,
    /// `[D]`, initially 0.
    pub bias: Param<Tensor<B, 1>>,
    epsilon: f64,
}

impl<B: Backend> LayerNorm<B> {
    /// A norm of rows of `width`, with `epsilon` added to the variance; timm's ViTs have 1e-6.
    pub fn new(width: usize, epsilon: f64, device: &B::Device) -> Self {
        let vector = |value: f64| {
            Param::uninitialized(
                ParamId::new(),
                move |device, require_grad| Tensor::full([width], value, device).set_require_grad(require_grad),
                device.clone(),
                true,
                [width].into(),
            )
        };
        Self {
            weight: vector(1.0),
            bias: vector(0.0),
            epsilon,
        }
    }
}

impl<B: TransformerOps> LayerNorm<B> {
    /// [M, D] → [M, D].
    pub fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        layer_norm(x, self.weight.val(), self.bias.val(), self.epsilon)
    }
}
