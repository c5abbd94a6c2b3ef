//! Settings of a ResNet: depth, stem and width.

use serde::{Deserialize, Serialize};

/// Settings of a [`ResNet`](crate::ResNet). The default is the official backbone: ResNet-50, ImageNet stem, width 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResNetConfig {
    /// Number of layers.
    pub depth: ResNetDepth,
    /// First layers of the network.
    pub stem: Stem,
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
            width: 64,
            in_channels: 3,
            zero_init_residual: true,
        }
    }

    /// Sets the first layers.
    pub fn with_stem(self, stem: Stem) -> Self {
        Self { stem, ..self }
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

    /// Width F of the representations: 512 for the standard ResNet-18 and -34, 2048 for ResNet-50.
    pub fn feature_dim(&self) -> usize {
        8 * self.width * if self.depth.is_bottleneck() { 4 } else { 1 }
    }
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self::new(ResNetDepth::ResNet50)
    }
}

/// Number of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResNetDepth {
    /// Basic blocks, 2 in each stage.
    ResNet18,
    /// Basic blocks: 3, 4, 6 and 3.
    ResNet34,
    /// Bottleneck blocks: 3, 4, 6 and 3.
    ResNet50,
}

impl ResNetDepth {
    /// Number of blocks in each of the four stages.
    pub fn blocks(self) -> [usize; 4] {
        match self {
            Self::ResNet18 => [2, 2, 2, 2],
            Self::ResNet34 | Self::ResNet50 => [3, 4, 6, 3],
        }
    }

    /// Whether the blocks are bottlenecks.
    pub fn is_bottleneck(self) -> bool {
        self == Self::ResNet50
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
