//! The head of the first stage: how much each anchor looks like an object, and how it should move.

use barlow_ops::ConvOps;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;

use super::convolution::Conv2d;

/// Standard deviation of the initial weights.
const STD: f64 = 0.01;

/// Head of the region proposal network, named as detectron2's.
#[derive(Module, Debug)]
pub struct RpnHead<B: Backend> {
    /// 3 × 3, to as many channels.
    pub conv: Conv2d<B>,
    /// 1 × 1, to a logit for each anchor.
    pub objectness_logits: Conv2d<B>,
    /// 1 × 1, to four offsets for each anchor.
    pub anchor_deltas: Conv2d<B>,
}

impl<B: Backend> RpnHead<B> {
    pub(super) fn new(channels: usize, anchors: usize, seed: u64, device: &B::Device) -> Self {
        let conv = |to: usize, kernel: usize, name: &str| {
            Conv2d::new([to, channels, kernel, kernel], STD, (seed, name), device)
        };
        Self {
            conv: conv(channels, 3, "rpn_head.conv.weight"),
            objectness_logits: conv(anchors, 1, "rpn_head.objectness_logits.weight"),
            anchor_deltas: conv(4 * anchors, 1, "rpn_head.anchor_deltas.weight"),
        }
    }
}

impl<B: ConvOps> RpnHead<B> {
    /// Logits [N, anchors] and offsets [N, anchors, 4] of the anchors in the order of [`anchors`](crate::anchors), from maps
    /// [N, C, H, W].
    pub fn forward(&self, x: Tensor<B, 4>) -> (Tensor<B, 2>, Tensor<B, 3>) {
        let x = relu(self.conv.forward(x));
        let logits = self.objectness_logits.forward(x.clone());
        let deltas = self.anchor_deltas.forward(x);
        let [images, per_position, height, width] = logits.dims();
        let anchors = height * width * per_position;
        let logits = logits.permute([0, 2, 3, 1]).reshape([images, anchors]);
        let deltas = deltas.permute([0, 2, 3, 1]).reshape([images, anchors, 4]);
        (logits, deltas)
    }
}
