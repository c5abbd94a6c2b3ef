//! The architectures whose weights are mapped: what can be inferred from shapes, and the tensors that a whole network has.

use super::resnet::ResNetShape;
use super::vit::VitShape;
use std::fmt;

/// Architecture of a backbone, inferred from the shapes of its weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// A ResNet, wide ResNet or ResNeXt.
    ResNet(ResNetShape),
    /// A vision transformer.
    Vit(VitShape),
}

impl Architecture {
    /// The word of `model.backbone` in a config, such as `wide_resnet50_2` or `vit-small`, if there is one.
    ///
    /// Width, stem, channels, patch and image size are settings of their own there.
    pub fn config_name(&self) -> Option<String> {
        match self {
            Self::ResNet(shape) => shape.config_name(),
            Self::Vit(shape) => shape.config_name(),
        }
    }

    /// Name in torchvision or timm, such as `wide_resnet50_2` or `vit_small_patch16_224`, if they have this network.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::ResNet(shape) => shape.name(),
            Self::Vit(shape) => shape.name(),
        }
    }

    /// Length of a representation.
    pub fn feature_dim(&self) -> usize {
        match self {
            Self::ResNet(shape) => shape.feature_dim,
            Self::Vit(shape) => shape.dim,
        }
    }

    /// Channels of an image.
    pub fn in_channels(&self) -> usize {
        match self {
            Self::ResNet(shape) => shape.in_channels,
            Self::Vit(shape) => shape.in_channels,
        }
    }

    /// Name and shape of every tensor of the backbone, without classifier and without `num_batches_tracked`.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        match self {
            Self::ResNet(shape) => shape.tensors(),
            Self::Vit(shape) => shape.tensors(),
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ResNet(shape) => shape.fmt(formatter),
            Self::Vit(shape) => shape.fmt(formatter),
        }
    }
}
