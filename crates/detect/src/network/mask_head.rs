//! The mask head: a map of logits for each class, twice as large as the region's features.

use barlow_ops::ConvOps;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;

use super::convolution::{Conv2d, normal};

/// Transposed convolution 2 × 2 with stride 2 and a bias: each pixel becomes four, none overlaps.
#[derive(Module, Debug)]
pub struct ConvTranspose2d<B: Backend> {
    /// [C_in, C_out, 2, 2]
    pub weight: Param<Tensor<B, 4>>,
    /// `[C_out]`
    pub bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> ConvTranspose2d<B> {
    /// [N, C_in, H, W] → [N, C_out, 2H, 2W], as one product.
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let weight = self.weight.val();
        let ([images, from, height, width], [_, to, ..]) = (x.dims(), weight.dims());
        let pixels = x.permute([0, 2, 3, 1]).reshape([images * height * width, from]);
        let y = pixels.matmul(weight.reshape([from, 4 * to]));
        let y = y.reshape([images, height, width, to, 2, 2]).permute([0, 3, 1, 4, 2, 5]);
        y.reshape([images, to, 2 * height, 2 * width]) + self.bias.val().reshape([1, to, 1, 1])
    }
}

/// Mask head of a C4 network, named as detectron2's: no convolutions before the transposed one.
#[derive(Module, Debug)]
pub struct MaskHead<B: Backend> {
    /// To twice the side.
    pub deconv: ConvTranspose2d<B>,
    /// 1 × 1, to a logit for each class.
    pub predictor: Conv2d<B>,
}

impl<B: Backend> MaskHead<B> {
    pub(super) fn new([features, hidden, classes]: [usize; 3], seed: u64, device: &B::Device) -> Self {
        // He's normal distribution over the fan out, which for torch is C_in · k² of a transposed convolution's weight.
        let std = (2.0 / (4 * features) as f64).sqrt();
        let deconv = ConvTranspose2d {
            weight: normal([features, hidden, 2, 2], std, (seed, "mask_head.deconv.weight"), device),
            bias: Param::from_tensor(Tensor::zeros([hidden], device)),
        };
        let predictor = [classes, hidden, 1, 1];
        Self {
            deconv,
            predictor: Conv2d::new(predictor, 0.001, (seed, "mask_head.predictor.weight"), device),
        }
    }
}

impl<B: ConvOps> MaskHead<B> {
    /// Logits [R, classes, 2H, 2W], from the regions' maps [R, F, H, W].
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        self.predictor.forward(relu(self.deconv.forward(x)))
    }
}
