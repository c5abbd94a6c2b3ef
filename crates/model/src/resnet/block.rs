//! The residual block, basic (two 3×3) or bottleneck (1×1, 3×3, 1×1), as in torchvision.
//!
//! One type implements both: the bottleneck has a third pair of convolution and norm. Its stride is in the 3×3 convolution
//! ("ResNet V1.5"), as in all published weights; the paper's first version has it in the first 1×1.

use crate::layers::{Conv2d, Conv2dConfig};
use crate::norm::{BatchNorm, BatchNormConfig, NormMode};
use barlow_ops::ModelOps;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Channels and stride of a [`Block`].
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockConfig {
    pub(super) bottleneck: bool,
    pub(super) in_channels: usize,
    /// Channels of the block before its expansion: those of a basic block's output, a quarter of a bottleneck's.
    pub(super) channels: usize,
    /// Channels inside a bottleneck: wider than `channels` in a wide ResNet and a ResNeXt.
    pub(super) inside: usize,
    /// Groups of a bottleneck's 3×3 convolution.
    pub(super) groups: usize,
    pub(super) stride: usize,
    pub(super) zero_init: bool,
}

impl BlockConfig {
    /// Channels of the block's output.
    pub(super) fn out_channels(&self) -> usize {
        self.channels * if self.bottleneck { 4 } else { 1 }
    }

    pub(super) fn init<B: Backend>(&self, device: &B::Device) -> Block<B> {
        let &Self {
            bottleneck,
            in_channels,
            channels,
            inside,
            groups,
            stride,
            zero_init,
        } = self;
        let out_channels = self.out_channels();
        let conv = |from, to, kernel, stride| Conv2dConfig::new(from, to, kernel, stride).init(device);
        let norm = |features| BatchNormConfig::new(features).init(device);
        let last_weight = if zero_init { 0.0 } else { 1.0 };
        let last_norm = |features| {
            BatchNormConfig::new(features)
                .with_initial_weight(last_weight)
                .init(device)
        };
        let downsample = (stride != 1 || in_channels != out_channels).then(|| Downsample {
            conv: conv(in_channels, out_channels, 1, stride),
            norm: norm(out_channels),
        });
        if bottleneck {
            Block {
                conv1: conv(in_channels, inside, 1, 1),
                bn1: norm(inside),
                conv2: Conv2dConfig::new(inside, inside, 3, stride)
                    .with_groups(groups)
                    .init(device),
                bn2: norm(inside),
                conv3: Some(conv(inside, out_channels, 1, 1)),
                bn3: Some(last_norm(out_channels)),
                downsample,
            }
        } else {
            Block {
                conv1: conv(in_channels, channels, 3, stride),
                bn1: norm(channels),
                conv2: conv(channels, channels, 3, 1),
                bn2: last_norm(channels),
                conv3: None,
                bn3: None,
                downsample,
            }
        }
    }
}

/// A residual block: relu(body(x) + shortcut(x)).
#[derive(Module, Debug)]
pub struct Block<B: Backend> {
    conv1: Conv2d<B>,
    bn1: BatchNorm<B>,
    conv2: Conv2d<B>,
    bn2: BatchNorm<B>,
    conv3: Option<Conv2d<B>>,
    bn3: Option<BatchNorm<B>>,
    downsample: Option<Downsample<B>>,
}

/// The shortcut of blocks that change the size or the channels; torch names its two layers `downsample.0` and `downsample.1`.
#[derive(Module, Debug)]
pub struct Downsample<B: Backend> {
    conv: Conv2d<B>,
    norm: BatchNorm<B>,
}

impl<B: Backend> Block<B> {
    /// Channels of the block's output.
    pub(super) fn out_channels(&self) -> usize {
        let last = self.conv3.as_ref().unwrap_or(&self.conv2);
        last.weight.lazy_shape()[0]
    }
}

impl<B: ModelOps> Block<B> {
    /// [N, C_in, H, W] → [N, C_out, ⌈H / stride⌉, ⌈W / stride⌉].
    pub fn forward(&self, x: Tensor<B, 4>, mode: NormMode) -> Tensor<B, 4> {
        let shortcut = match &self.downsample {
            Some(Downsample { conv, norm }) => norm.forward(conv.forward(x.clone()), mode),
            None => x.clone(),
        };
        let x = self.bn1.forward_relu(self.conv1.forward(x), mode);
        let x = self.conv2.forward(x);
        match (&self.conv3, &self.bn3) {
            (Some(conv3), Some(bn3)) => {
                let x = conv3.forward(self.bn2.forward_relu(x, mode));
                bn3.forward_add_relu(x, shortcut, mode)
            }
            _ => self.bn2.forward_add_relu(x, shortcut, mode),
        }
    }
}
