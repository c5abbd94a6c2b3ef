//! The model: backbone and heads in one module, which is everything that is trained.

use crate::backbone::Backbone;
use crate::heads::{Heads, HeadsConfig};
use crate::init::{ConvInit, initialize_with};
use crate::norm::NormMode;
use crate::projector::ProjectorConfig;
use crate::registry::{BackboneConfig, BuiltinBackbone};
use crate::resnet::ResNetConfig;
use crate::row_keys::RowKeys;
use barlow_ops::NormOps;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::Serialize;

/// Settings of a [`Model`] with one of this crate's backbones. The default is the model of Barlow Twins: ResNet-50 and the projector
/// 8192-8192-8192.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelConfig {
    /// Backbone, from images to representations.
    pub backbone: BackboneConfig,
    /// Heads, from representations to embeddings and beyond.
    pub heads: HeadsConfig,
    /// Initial distribution of the convolution weights (official: fan out).
    pub conv_init: ConvInit,
}

impl ModelConfig {
    /// A model with torchvision's initial weights.
    pub fn new(backbone: impl Into<BackboneConfig>, heads: HeadsConfig) -> Self {
        Self {
            backbone: backbone.into(),
            heads,
            conv_init: ConvInit::default(),
        }
    }

    /// Builds a model initialised from `seed`, with the same weights on every backend.
    ///
    /// # Panics
    /// Same as [`init_zeros`](Self::init_zeros).
    pub fn init<B: Backend>(&self, device: &B::Device, seed: u64) -> Model<B> {
        initialize_with(self.init_zeros(device), seed, self.conv_init)
    }

    /// Builds a model with zero weights that are not yet allocated, for counting parameters or for [`crate::load_state_dict`].
    ///
    /// # Panics
    /// Same as [`BackboneConfig::init`] and [`HeadsConfig::init`].
    pub fn init_zeros<B: Backend>(&self, device: &B::Device) -> Model<B> {
        Model {
            backbone: self.backbone.init(device),
            heads: self.heads.init(self.backbone.feature_dim(), device),
        }
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        let projector = ProjectorConfig::default().mlp(true);
        Self::new(ResNetConfig::default(), HeadsConfig::new(projector))
    }
}

/// A backbone, of this crate or a custom [`Backbone`], with its heads.
#[derive(Module, Debug)]
pub struct Model<B: Backend, M = BuiltinBackbone<B>> {
    /// Backbone, from images to representations.
    pub backbone: M,
    /// Heads, from representations to embeddings and beyond. Exported names omit this field: `projector.0.weight`.
    pub heads: Heads<B>,
}

/// Output of [`Model::forward`].
#[derive(Clone, Debug)]
pub struct ModelOutput<B: Backend> {
    /// [N, F], the input of probes and downstream tasks.
    pub representations: Tensor<B, 2>,
    /// [N, D], the projector's output, not normalised: the input of losses.
    pub embeddings: Tensor<B, 2>,
}

impl<B: Backend, M: Backbone<B>> Model<B, M> {
    /// Builds a model from a backbone and heads with zero weights; [`initialize`](crate::initialize) initialises both from a
    /// seed.
    ///
    /// # Panics
    /// Same as [`HeadsConfig::init`].
    pub fn new(backbone: M, heads: &HeadsConfig, device: &B::Device) -> Self {
        let heads = heads.init(backbone.feature_dim(), device);
        Self { backbone, heads }
    }
}

impl<B: NormOps, M: Backbone<B>> Model<B, M> {
    /// Forward pass through backbone and projector. Two views need two calls, because the official code has batch statistics per
    /// view; a batch norm over both views at once has different statistics.
    ///
    /// # Shapes
    /// - `images`: [N, C, H, W], normalised
    ///
    /// # Panics
    /// If the shape of the backbone's output is not [N, [`Backbone::feature_dim`]].
    pub fn forward(&self, images: Tensor<B, 4>, mode: NormMode) -> ModelOutput<B> {
        self.forward_by(images, mode, |images| self.backbone.forward(images, mode))
    }

    /// [`forward`](Self::forward) of a training step, with a key for each row of `images`, for a backbone with random draws
    /// ([`Backbone::forward_keyed`]).
    ///
    /// # Panics
    /// Same as [`forward`](Self::forward), and if there are not as many keys as images.
    pub fn forward_keyed(&self, images: Tensor<B, 4>, mode: NormMode, keys: &RowKeys) -> ModelOutput<B> {
        assert_eq!(images.dims()[0], keys.count(), "images and keys of a forward pass");
        self.forward_by(images, mode, |images| self.backbone.forward_keyed(images, mode, keys))
    }

    fn forward_by(
        &self,
        images: Tensor<B, 4>,
        mode: NormMode,
        backbone: impl FnOnce(Tensor<B, 4>) -> Tensor<B, 2>,
    ) -> ModelOutput<B> {
        let expected = [images.dims()[0], self.backbone.feature_dim()];
        let representations = backbone(images);
        assert_eq!(
            representations.dims(),
            expected,
            "shape of the backbone's output: [N, F], with F = feature_dim()"
        );
        let embeddings = self.heads.projector.forward(representations.clone(), mode);
        ModelOutput {
            representations,
            embeddings,
        }
    }
}
