//! The ResNet: stem, four stages of residual blocks, mean over the pixels.
//!
//! Field names are torchvision's, so that weights can be exchanged in both directions.

use super::block::{Block, BlockConfig};
use super::config::{ResNetConfig, Stem};
use crate::backbone::Backbone;
use crate::layers::{Conv2d, Conv2dConfig};
use crate::norm::{BatchNorm, BatchNormConfig, NormMode};
use barlow_ops::{ConvGeometry, ModelOps, Window, max_pool2d, mean_pool2d};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// The pooling of the ImageNet stem, which halves the side.
const STEM_WINDOW: Window = Window {
    size: 3,
    geometry: ConvGeometry { stride: 2, padding: 1 },
};

impl ResNetConfig {
    /// Builds the network with zero convolutions, not yet allocated. Set them with [`crate::initialize`] or
    /// [`crate::load_state_dict`].
    ///
    /// # Panics
    /// If `width` or `in_channels` is 0, or `width` is not a multiple of [`ResNetDepth::width_step`](super::ResNetDepth::width_step).
    pub fn init<B: Backend>(&self, device: &B::Device) -> ResNet<B> {
        let &Self {
            depth,
            stem,
            stem_padding,
            width,
            in_channels,
            zero_init_residual,
        } = self;
        assert!(
            width > 0 && in_channels > 0,
            "a ResNet needs channels, got width {width} and in_channels {in_channels}"
        );
        assert!(
            width.is_multiple_of(depth.width_step()),
            "the width of {depth:?} must be a multiple of {}, got {width}",
            depth.width_step()
        );
        let conv1 = match stem {
            Stem::Imagenet => Conv2dConfig::new(in_channels, width, 7, 2),
            Stem::Cifar => Conv2dConfig::new(in_channels, width, 3, 1).with_padding(stem_padding),
        };
        let mut channels_so_far = width;
        let [layer1, layer2, layer3, layer4] = [0, 1, 2, 3].map(|stage| {
            let blocks = 0..depth.blocks()[stage];
            let stage_blocks = blocks.map(|index| {
                let block = BlockConfig {
                    bottleneck: depth.is_bottleneck(),
                    in_channels: channels_so_far,
                    channels: width << stage,
                    inside: depth.inside(width << stage),
                    groups: depth.groups(),
                    stride: if stage > 0 && index == 0 { 2 } else { 1 },
                    zero_init: zero_init_residual,
                };
                channels_so_far = block.out_channels();
                block.init(device)
            });
            stage_blocks.collect::<Vec<_>>()
        });
        ResNet {
            conv1: conv1.init(device),
            bn1: BatchNormConfig::new(width).init(device),
            layer1,
            layer2,
            layer3,
            layer4,
            max_pool: stem == Stem::Imagenet,
        }
    }
}

/// A ResNet without classifier, from images to representations.
#[derive(Module, Debug)]
pub struct ResNet<B: Backend> {
    conv1: Conv2d<B>,
    bn1: BatchNorm<B>,
    layer1: Vec<Block<B>>,
    layer2: Vec<Block<B>>,
    layer3: Vec<Block<B>>,
    layer4: Vec<Block<B>>,
    max_pool: bool,
}

impl<B: ModelOps> ResNet<B> {
    /// Representations: the last stage averaged over its pixels.
    ///
    /// # Shapes
    /// - `images`: [N, C, H, W], normalised; any size of at least one pixel
    /// - returns [N, F], see [`ResNetConfig::feature_dim`]
    pub fn forward(&self, images: Tensor<B, 4>, mode: NormMode) -> Tensor<B, 2> {
        mean_pool2d(self.map(images, mode))
    }

    /// The last stage, [N, F, h, w].
    fn map(&self, images: Tensor<B, 4>, mode: NormMode) -> Tensor<B, 4> {
        self.last_stage(self.trunk(images, mode), mode)
    }

    /// Maps of the third stage: what two-stage detectors cut their regions out of.
    ///
    /// # Shapes
    /// - `images`: [N, C, H, W], normalised
    /// - returns [N, [`trunk_dim`](Self::trunk_dim), ⌈H / 16⌉, ⌈W / 16⌉] with the ImageNet stem, quarters with the CIFAR stem
    pub fn trunk(&self, images: Tensor<B, 4>, mode: NormMode) -> Tensor<B, 4> {
        let mut x = self.bn1.forward_relu(self.conv1.forward(images), mode);
        if self.max_pool {
            x = max_pool2d(x, STEM_WINDOW);
        }
        let stages = [&self.layer1, &self.layer2, &self.layer3];
        stages.into_iter().flatten().fold(x, |x, block| block.forward(x, mode))
    }

    /// Maps of the fourth stage, from those of the third.
    ///
    /// # Shapes
    /// - `x`: [N, [`trunk_dim`](Self::trunk_dim), H, W]
    /// - returns [N, F, ⌈H / 2⌉, ⌈W / 2⌉]
    pub fn last_stage(&self, x: Tensor<B, 4>, mode: NormMode) -> Tensor<B, 4> {
        self.layer4.iter().fold(x, |x, block| block.forward(x, mode))
    }
}

impl<B: Backend> ResNet<B> {
    /// Channels of the third stage.
    pub fn trunk_dim(&self) -> usize {
        let last = self.layer3.last().expect("every depth has blocks in every stage");
        last.out_channels()
    }
}

impl<B: ModelOps> Backbone<B> for ResNet<B> {
    fn feature_dim(&self) -> usize {
        let last = self.layer4.last().expect("every depth has blocks in every stage");
        last.out_channels()
    }

    fn forward(&self, images: Tensor<B, 4>, mode: NormMode) -> Tensor<B, 2> {
        Self::forward(self, images, mode)
    }

    fn forward_map(&self, images: Tensor<B, 4>, mode: NormMode) -> Option<Tensor<B, 4>> {
        Some(self.map(images, mode))
    }
}
