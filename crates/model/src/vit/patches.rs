//! Patches of an image as tokens.
//!
//! A convolution whose stride is its kernel reads each pixel once, so it is a product of the patches with the weights.

use super::config::{VitConfig, VitInit};
use crate::declared::DeclaredParam;
use crate::init_as::{InitAs, WeightInit};
use crate::kind::ParamKind;
use burn::module::{Module, Param, ParamId};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// The projection of patches to tokens.
#[derive(Module, Debug)]
pub struct PatchEmbed<B: Backend> {
    proj: PatchProjection<B>,
}

/// Weight and bias of the projection, as those of a convolution.
#[derive(Module, Debug)]
pub struct PatchProjection<B: Backend> {
    /// [D, C, p, p]
    weight: InitAs<DeclaredParam<B, 4>>,
    /// `[D]`
    bias: InitAs<DeclaredParam<B, 1>>,
    is_frozen: bool,
}

impl<B: Backend> PatchEmbed<B> {
    pub(super) fn new(config: &VitConfig, device: &B::Device) -> Self {
        let &VitConfig {
            width,
            patch,
            in_channels,
            frozen_patches,
            ..
        } = config;
        let (of_weight, of_bias) = match config.init {
            VitInit::Timm if !frozen_patches => (WeightInit::FanIn, WeightInit::FanIn),
            // A frozen bias would only shift the positions.
            VitInit::Timm => (WeightInit::FanIn, WeightInit::Keep),
            VitInit::MocoV3 => (WeightInit::Xavier, WeightInit::Keep),
        };
        let kind = |kind| if frozen_patches { ParamKind::Frozen } else { kind };
        let weight = zeros([width, in_channels, patch, patch], !frozen_patches, device);
        let bias = zeros([width], !frozen_patches, device);
        Self {
            proj: PatchProjection {
                weight: InitAs::new(of_weight, DeclaredParam::new(kind(ParamKind::Convolution), weight)),
                bias: InitAs::new(of_bias, DeclaredParam::new(kind(ParamKind::Bias), bias)),
                is_frozen: frozen_patches,
            },
        }
    }

    /// [N, C, H, W] → [N, H/p · W/p, D], the patches row by row.
    ///
    /// # Panics
    /// If the channels are others, or the image is not of whole patches.
    pub fn forward(&self, images: Tensor<B, 4>) -> Tensor<B, 3> {
        let (weight, bias) = (self.proj.weight.val(), self.proj.bias.val());
        let (weight, bias) = if self.proj.is_frozen {
            (weight.detach(), bias.detach())
        } else {
            (weight, bias)
        };
        let [n, channels, height, width] = images.dims();
        let [features, in_channels, patch, _] = weight.dims();
        assert!(
            channels == in_channels && height.is_multiple_of(patch) && width.is_multiple_of(patch),
            "images {:?} are not of {in_channels} channels and whole patches of {patch} pixels",
            images.dims()
        );
        let (rows, columns) = (height / patch, width / patch);
        let values = channels * patch * patch;
        let patches = images
            .reshape([n, channels, rows, patch, columns, patch])
            .permute([0, 2, 4, 1, 3, 5])
            .reshape([n * rows * columns, values]);
        let tokens = patches.matmul(weight.reshape([features, values]).transpose()) + bias.unsqueeze();
        tokens.reshape([n, rows * columns, features])
    }
}

/// A parameter of zeros, allocated on first use.
pub(super) fn zeros<B: Backend, const D: usize>(
    shape: [usize; D],
    is_trained: bool,
    device: &B::Device,
) -> Param<Tensor<B, D>> {
    Param::uninitialized(
        ParamId::new(),
        move |device, require_grad| Tensor::zeros(shape, device).set_require_grad(require_grad),
        device.clone(),
        is_trained,
        shape.into(),
    )
}
