//! `[model]`: backbone and projector.

use super::ConfigError;
use barlow_model::{
    BackboneConfig, ConvInit, Positions, ProjectorConfig, ResNetConfig, ResNetDepth, Stem, VitConfig, VitInit, VitPool,
    VitSize,
};
use serde::{Deserialize, Deserializer, Serialize};
use std::str::FromStr;

/// `[model]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSection {
    /// The backbone; for the ViTs and `custom`, the keys `stem`, `stem_padding`, `width`, `zero_init_residual` and `conv_init` are
    /// ignored.
    pub backbone: BackboneKind,
    /// First layers: `imagenet` (7×7, stride 2, max pooling) or `cifar` (3×3, stride 1).
    pub stem: Stem,
    /// Padding of the `cifar` stem, 1 or 2 (solo-learn's networks have 2, and maps that are two pixels larger).
    pub stem_padding: usize,
    /// Channels of the first stage (64 is standard).
    pub width: usize,
    /// Channels of an image; images of 1, 3 and 4 channels are converted to each other (grey, RGB, RGB with alpha).
    pub in_channels: usize,
    /// Zero the last norm's scale in every block, so that each block starts as the identity.
    pub zero_init_residual: bool,
    /// Widths of the projector's layers, joined by `-`; a single one may be a number.
    #[serde(deserialize_with = "text_or_number")]
    pub projector: String,
    /// Batch norm between the projector's layers.
    pub projector_norm: bool,
    /// How the convolutions' weights are initialised: `fan-out` (torchvision's ResNets) or `fan-in` (torch's own convolution).
    pub conv_init: ConvInit,
    /// The settings of the ViTs.
    #[serde(skip_serializing_if = "VitSection::is_default")]
    pub vit: VitSection,
}

/// `[model.vit]`: vision transformers. The positions are those of images of `views.size`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VitSection {
    /// Side of a patch in pixels; must divide the side of every view and of an evaluated image.
    pub patch: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Heads of the attention, if not the network's usual ones (MoCo v3's ViT-small has 12).
    pub heads: Option<usize>,
    /// How tokens become a representation.
    pub pool: VitPool,
    /// Positions of the patches.
    pub positions: Positions,
    /// Rate at which the last block's branches are dropped in training, in [0, 1); it rises linearly from 0 at the first block.
    pub drop_path: f64,
    /// Initial weights.
    pub init: VitInit,
    /// Keep the initial weights of the patches' projection (MoCo v3).
    pub frozen_patches: bool,
}

impl VitSection {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for VitSection {
    fn default() -> Self {
        Self {
            patch: 16,
            depth: 12,
            heads: None,
            pool: VitPool::ClassToken,
            positions: Positions::Learned,
            drop_path: 0.0,
            init: VitInit::Timm,
            frozen_patches: false,
        }
    }
}

impl Default for ModelSection {
    fn default() -> Self {
        Self {
            backbone: BackboneKind::ResNet50,
            stem: Stem::Imagenet,
            stem_padding: 1,
            width: 64,
            in_channels: 3,
            zero_init_residual: true,
            projector: "8192-8192-8192".into(),
            projector_norm: true,
            conv_init: ConvInit::FanOut,
            vit: VitSection::default(),
        }
    }
}

/// The network that turns images into representations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackboneKind {
    /// ResNet-18.
    ResNet18,
    /// ResNet-34.
    ResNet34,
    /// ResNet-50.
    ResNet50,
    /// ResNet-101.
    ResNet101,
    /// ResNet-152.
    ResNet152,
    /// ResNet-50 with twice the channels inside the blocks.
    #[serde(rename = "wide_resnet50_2")]
    WideResNet50,
    /// ResNet-101 with twice the channels inside the blocks.
    #[serde(rename = "wide_resnet101_2")]
    WideResNet101,
    /// ResNeXt-50 with 32 groups of 4 channels; `width` must be a multiple of 16.
    #[serde(rename = "resnext50_32x4d")]
    ResNext50,
    /// Vision transformer of width 192 with 3 heads; `[model.vit]` has its settings.
    #[serde(rename = "vit-tiny")]
    VitTiny,
    /// Vision transformer of width 384 with 6 heads.
    #[serde(rename = "vit-small")]
    VitSmall,
    /// Vision transformer of width 768 with 12 heads.
    #[serde(rename = "vit-base")]
    VitBase,
    /// A [`Backbone`](barlow_model::Backbone) of a custom program, which alone can build it.
    Custom,
}

impl ModelSection {
    /// The backbone of these settings for views of `pixels` × `pixels`.
    ///
    /// # Errors
    /// [`ConfigError::CustomBackbone`].
    pub fn backbone(&self, pixels: usize) -> Result<BackboneConfig, ConfigError> {
        let depth = match self.backbone {
            BackboneKind::ResNet18 => ResNetDepth::ResNet18,
            BackboneKind::ResNet34 => ResNetDepth::ResNet34,
            BackboneKind::ResNet50 => ResNetDepth::ResNet50,
            BackboneKind::ResNet101 => ResNetDepth::ResNet101,
            BackboneKind::ResNet152 => ResNetDepth::ResNet152,
            BackboneKind::WideResNet50 => ResNetDepth::WideResNet50,
            BackboneKind::WideResNet101 => ResNetDepth::WideResNet101,
            BackboneKind::ResNext50 => ResNetDepth::ResNext50,
            BackboneKind::VitTiny => return Ok(self.vit(VitSize::Tiny, pixels).into()),
            BackboneKind::VitSmall => return Ok(self.vit(VitSize::Small, pixels).into()),
            BackboneKind::VitBase => return Ok(self.vit(VitSize::Base, pixels).into()),
            BackboneKind::Custom => return Err(ConfigError::CustomBackbone),
        };
        Ok(BackboneConfig::ResNet(ResNetConfig {
            depth,
            stem: self.stem,
            stem_padding: self.stem_padding,
            width: self.width,
            in_channels: self.in_channels,
            zero_init_residual: self.zero_init_residual,
        }))
    }

    fn vit(&self, size: VitSize, pixels: usize) -> VitConfig {
        let usual = VitConfig::new(size);
        let VitSection {
            patch,
            depth,
            heads,
            pool,
            positions,
            drop_path,
            init,
            frozen_patches,
        } = self.vit;
        VitConfig {
            width: usual.width,
            depth,
            heads: heads.unwrap_or(usual.heads),
            patch,
            pixels,
            in_channels: self.in_channels,
            pool,
            positions,
            drop_path,
            init,
            frozen_patches,
        }
    }

    /// The projector of these settings.
    ///
    /// # Panics
    /// If the config was not validated and `model.projector` cannot be parsed.
    pub fn projector(&self) -> ProjectorConfig {
        ProjectorConfig::from_str(&self.projector).expect("the config was validated")
    }
}

/// Reads a string, or an integer as a string: `--set model.projector=512` is a number in TOML.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected layer widths, for example \"512-512-512\" or 512")]
    enum Given {
        Text(String),
        Number(i64),
    }
    Ok(match Given::deserialize(deserializer)? {
        Given::Text(text) => text,
        Given::Number(number) => number.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use crate::config::{BackboneKind, Config};
    use barlow_model::{BackboneConfig, Positions, Stem};

    fn refused(change: impl Fn(&mut Config)) -> String {
        let mut config = Config::default();
        assert!(config.validate().is_ok());
        change(&mut config);
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn keys_that_do_not_fit_the_network_are_refused() {
        let line = refused(|config| config.model.stem_padding = 2);
        assert!(line.contains("model.stem_padding") && line.contains("cifar"), "{line}");
        let line = refused(|config| {
            config.model.stem = Stem::Cifar;
            config.model.stem_padding = 3;
        });
        assert!(line.contains("at most 2"), "{line}");
        let line = refused(|config| {
            config.model.backbone = BackboneKind::ResNext50;
            config.model.width = 24;
        });
        assert!(
            line.contains("`model.width` is 24: it must be a multiple of 16"),
            "{line}"
        );
    }

    #[test]
    fn patches_must_divide_every_image() {
        let vit = |change: fn(&mut Config)| {
            refused(|config| {
                config.model.backbone = BackboneKind::VitSmall;
                change(config);
            })
        };
        let line = vit(|config| config.views.size = 200);
        assert!(
            line.contains("`model.vit`") && line.contains("200 pixels are not whole patches of 16"),
            "{line}"
        );
        let line = vit(|config| {
            config.eval.resize = 256;
            config.eval.crop = 192;
        });
        assert!(
            line.contains("`eval.crop`") && line.contains("learned positions are those of 224 pixels"),
            "{line}"
        );
        let line = vit(|config| config.model.vit.heads = Some(7));
        assert!(line.contains("7 heads do not divide the width, 384"), "{line}");
        let line = vit(|config| config.model.vit.drop_path = 1.5);
        assert!(line.contains("drop path"), "{line}");
        // Positions of any grid allow other sizes.
        let mut config = Config::default();
        config.model.backbone = BackboneKind::VitSmall;
        config.model.vit.positions = Positions::SinCos;
        (config.eval.resize, config.eval.crop) = (256, 192);
        assert!(config.validate().is_ok());
    }

    #[test]
    fn a_config_names_a_vit_and_its_settings() {
        let text = "[model]\nbackbone = \"vit-small\"\n[model.vit]\npatch = 8\nheads = 12\npositions = \"sin-cos\"\n\
                    init = \"moco-v3\"\npool = \"mean\"\nfrozen_patches = true\ndrop_path = 0.1\n";
        let config: Config = toml::from_str(text).unwrap();
        let Ok(BackboneConfig::Vit(vit)) = config.backbone() else {
            panic!("a ViT")
        };
        assert_eq!(
            (vit.width, vit.depth, vit.heads, vit.patch, vit.pixels),
            (384, 12, 12, 8, 224)
        );
        assert_eq!(vit.drop_path, 0.1);
        assert!(vit.frozen_patches);
        assert_eq!(toml::from_str::<Config>(&config.to_toml()).unwrap(), config);
        // The stored config of another network does not have the table.
        assert!(!Config::default().to_toml().contains("vit"));
    }
}
