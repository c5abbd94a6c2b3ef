//! Backbone and projector in one module: what is trained. The loss and the views belong to other crates.

use crate::backbone::Backbone;
use crate::init::{ConvInit, initialize_with};
use crate::norm::NormMode;
use crate::ops::NormOps;
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
        let projector = self
            .projector
            .init(self.backbone.features(), self.projector_norm, device);
        BarlowTwinsModel {
            backbone: self.backbone.init(device),
            projector,
        }
    }
}

impl Default for BarlowTwinsModelConfig {
    fn default() -> Self {
        Self::new(ResNetConfig::default(), ProjectorConfig::default())
    }
}

/// Images to representations to embeddings, by a [`ResNet`] or a [`Backbone`] of one's own.
#[derive(Module, Debug)]
pub struct BarlowTwinsModel<B: Backend, M = ResNet<B>> {
    /// Images to representations.
    pub backbone: M,
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

impl<B: Backend, M: Backbone<B>> BarlowTwinsModel<B, M> {
    /// A model around a backbone; the projector's weights are zero. [`initialize`](crate::initialize) draws both from a seed.
    ///
    /// # Panics
    /// As [`ProjectorConfig::init`].
    pub fn new(backbone: M, projector: &ProjectorConfig, projector_norm: bool, device: &B::Device) -> Self {
        let projector = projector.init(backbone.features(), projector_norm, device);
        Self { backbone, projector }
    }
}

impl<B: NormOps, M: Backbone<B>> BarlowTwinsModel<B, M> {
    /// One view through the network. Two views are two calls: a batch norm over both views at once would give other
    /// statistics than the official code.
    ///
    /// # Shapes
    /// - `images`: [N, C, H, W], normalised
    ///
    /// # Panics
    /// If the backbone gives other representations than [N, [`Backbone::features`]].
    pub fn forward(&self, images: Tensor<B, 4>, mode: NormMode) -> ModelOutput<B> {
        let expected = [images.dims()[0], self.backbone.features()];
        let representations = self.backbone.forward(images, mode);
        assert_eq!(
            representations.dims(),
            expected,
            "representations of the backbone: [N, F] by its features()"
        );
        let embeddings = self.projector.forward(representations.clone(), mode);
        ModelOutput {
            representations,
            embeddings,
        }
    }
}
