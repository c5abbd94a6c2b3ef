//! Backbone and projector in one module: what is trained. The loss and the views belong to other crates.

use crate::init::{ConvInit, initialize_with};
use crate::norm::NormMode;
use crate::ops::ModelOps;
use crate::projector::{Projector, ProjectorConfig};
use crate::resnet::{ResNet, ResNetConfig};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Settings of a [`BarlowTwinsModel`]. The default is the official one: ResNet-50 and 8192-8192-8192.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BarlowTwinsModelConfig {
    /// Images to representations.
    pub backbone: ResNetConfig,
    /// Representations to embeddings.
    pub projector: ProjectorConfig,
    /// Batch norm between the projector's layers (official: true).
    pub projector_norm: bool,
    /// How the convolutions' weights are drawn (official: fan out).
    pub conv_init: ConvInit,
}

impl BarlowTwinsModelConfig {
    /// A model with batch norm between the projector's layers and torchvision's initial weights.
    pub fn new(backbone: ResNetConfig, projector: ProjectorConfig) -> Self {
        Self {
            backbone,
            projector,
            projector_norm: true,
            conv_init: ConvInit::default(),
        }
    }

    /// A model whose weights are drawn from `seed`, the same on every backend.
    pub fn init<B: Backend>(&self, device: &B::Device, seed: u64) -> BarlowTwinsModel<B> {
        initialize_with(self.init_zeros(device), seed, self.conv_init)
    }

    /// A model with zero weights, not yet allocated: to be counted, or filled by [`crate::load_state_dict`].
    pub fn init_zeros<B: Backend>(&self, device: &B::Device) -> BarlowTwinsModel<B> {
        BarlowTwinsModel {
            backbone: self.backbone.init(device),
            projector: self
                .projector
                .init(self.backbone.features(), self.projector_norm, device),
        }
    }
}

impl Default for BarlowTwinsModelConfig {
    fn default() -> Self {
        Self::new(ResNetConfig::default(), ProjectorConfig::default())
    }
}

/// Images to representations to embeddings.
#[derive(Module, Debug)]
pub struct BarlowTwinsModel<B: Backend> {
    /// Images to representations.
    pub backbone: ResNet<B>,
    /// Representations to embeddings.
    pub projector: Projector<B>,
}

/// What a [`BarlowTwinsModel`] makes of a batch.
#[derive(Clone, Debug)]
pub struct ModelOutput<B: Backend> {
    /// [N, F], what probes use.
    pub representations: Tensor<B, 2>,
    /// [N, D], what the loss uses.
    pub embeddings: Tensor<B, 2>,
}

impl<B: ModelOps> BarlowTwinsModel<B> {
    /// One view through the network. Two views are two calls: a batch norm over both views at once would give other
    /// statistics than the official code.
    ///
    /// # Shapes
    /// - `images`: [N, C, H, W], normalised
    pub fn forward(&self, images: Tensor<B, 4>, mode: NormMode) -> ModelOutput<B> {
        let representations = self.backbone.forward(images, mode);
        let embeddings = self.projector.forward(representations.clone(), mode);
        ModelOutput {
            representations,
            embeddings,
        }
    }
}
