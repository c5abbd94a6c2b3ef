//! Settings of a ResNet: depth and blocks, stem and width.

use serde::{Deserialize, Serialize};

/// Settings of a [`ResNet`](crate::ResNet). The default is the official backbone: ResNet-50, ImageNet stem, width 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResNetConfig {
    /// Number of layers.
    pub depth: ResNetDepth,
    /// First layers of the network.
    pub stem: Stem,
    /// Padding of the CIFAR stem's convolution, in pixels; 2 in solo-learn, whose maps are two pixels larger. The ImageNet stem's
    /// is 3.
    pub stem_padding: usize,
    /// Channels of the first stage (≥ 1); the later ones have 2, 4 and 8 times as many. 64 is standard.
    pub width: usize,
    /// Channels of an image (≥ 1).
    pub in_channels: usize,
    /// Start the last norm of each block at 0, so that the block starts as the identity (official: true).
    pub zero_init_residual: bool,
}

impl ResNetConfig {
    /// ImageNet stem, width 64, RGB, blocks that start as the identity.
    pub fn new(depth: ResNetDepth) -> Self {
        Self {
            depth,
            stem: Stem::Imagenet,
            stem_padding: 1,
            width: 64,
            in_channels: 3,
            zero_init_residual: true,
        }
    }

    /// Sets the first layers.
    pub fn with_stem(self, stem: Stem) -> Self {
        Self { stem, ..self }
    }

    /// Sets the padding of the CIFAR stem.
    pub fn with_stem_padding(self, stem_padding: usize) -> Self {
        Self { stem_padding, ..self }
    }

    /// Sets the channels of the first stage.
    pub fn with_width(self, width: usize) -> Self {
        Self { width, ..self }
    }

    /// Sets whether the last norm of each block starts at 0.
    pub fn with_zero_init_residual(self, zero_init_residual: bool) -> Self {
        Self {
            zero_init_residual,
            ..self
        }
    }

    /// Width F of the representations: 512 for the standard ResNet-18 and -34, 2048 for the others.
    pub fn feature_dim(&self) -> usize {
        8 * self.width * if self.depth.is_bottleneck() { 4 } else { 1 }
    }
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self::new(ResNetDepth::ResNet50)
    }
}

/// Number of layers, and the shape of the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResNetDepth {
    /// Basic blocks, 2 in each stage.
    ResNet18,
    /// Basic blocks: 3, 4, 6 and 3.
    ResNet34,
    /// Bottleneck blocks: 3, 4, 6 and 3.
    ResNet50,
    /// Bottleneck blocks: 3, 4, 23 and 3.
    ResNet101,
    /// Bottleneck blocks: 3, 8, 36 and 3.
    ResNet152,
    /// ResNet-50 with twice the channels inside the bottlenecks.
    #[serde(rename = "wide_resnet50_2")]
    WideResNet50,
    /// ResNet-101 with twice the channels inside the bottlenecks.
    #[serde(rename = "wide_resnet101_2")]
    WideResNet101,
    /// ResNet-50 with 3×3 convolutions in 32 groups of 4 channels in the first stage, 8, 16 and 32 in the later ones.
    #[serde(rename = "resnext50_32x4d")]
    ResNext50,
}

impl ResNetDepth {
    /// Number of blocks in each of the four stages.
    pub fn blocks(self) -> [usize; 4] {
        match self {
            Self::ResNet18 => [2, 2, 2, 2],
            Self::ResNet34 | Self::ResNet50 | Self::WideResNet50 | Self::ResNext50 => [3, 4, 6, 3],
            Self::ResNet101 | Self::WideResNet101 => [3, 4, 23, 3],
            Self::ResNet152 => [3, 8, 36, 3],
        }
    }

    /// Whether the blocks are bottlenecks.
    pub fn is_bottleneck(self) -> bool {
        !matches!(self, Self::ResNet18 | Self::ResNet34)
    }

    /// Groups of the bottlenecks' 3×3 convolutions.
    pub fn groups(self) -> usize {
        match self {
            Self::ResNext50 => 32,
            _ => 1,
        }
    }

    /// The network's width must be a multiple of this: a ResNeXt of width 64 has 4 channels in each of its 32 groups, and one of
    /// width 16 has one.
    pub fn width_step(self) -> usize {
        match self {
            Self::ResNext50 => 16,
            _ => 1,
        }
    }

    /// Channels inside a bottleneck of a stage with `channels`.
    pub(super) fn inside(self, channels: usize) -> usize {
        match self {
            Self::WideResNet50 | Self::WideResNet101 | Self::ResNext50 => 2 * channels,
            _ => channels,
        }
    }
}

/// First layers of a ResNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// 7×7 with stride 2, then 3×3 max pooling with stride 2: the side is divided by 4.
    Imagenet,
    /// 3×3 with stride 1, no pooling: for images of about 32 pixels.
    Cifar,
}
