//! `[model]`: backbone and projector.

use super::ConfigError;
use barlow_model::{ConvInit, ProjectorConfig, ResNetConfig, ResNetDepth, Stem};
use serde::{Deserialize, Deserializer, Serialize};
use std::str::FromStr;

/// `[model]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSection {
    /// The backbone; for `custom`, the keys `stem`, `width`, `zero_init_residual` and `conv_init` are ignored.
    pub backbone: BackboneKind,
    /// First layers: `imagenet` (7×7, stride 2, max pooling) or `cifar` (3×3, stride 1).
    pub stem: Stem,
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
}

impl Default for ModelSection {
    fn default() -> Self {
        Self {
            backbone: BackboneKind::ResNet50,
            stem: Stem::Imagenet,
            width: 64,
            in_channels: 3,
            zero_init_residual: true,
            projector: "8192-8192-8192".into(),
            projector_norm: true,
            conv_init: ConvInit::FanOut,
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
    /// A [`Backbone`](barlow_model::Backbone) of a custom program, which alone can build it.
    Custom,
}

impl ModelSection {
    /// The backbone of these settings.
    ///
    /// # Errors
    /// [`ConfigError::CustomBackbone`].
    pub fn backbone(&self) -> Result<ResNetConfig, ConfigError> {
        let depth = match self.backbone {
            BackboneKind::ResNet18 => ResNetDepth::ResNet18,
            BackboneKind::ResNet34 => ResNetDepth::ResNet34,
            BackboneKind::ResNet50 => ResNetDepth::ResNet50,
            BackboneKind::Custom => return Err(ConfigError::CustomBackbone),
        };
        Ok(ResNetConfig {
            depth,
            stem: self.stem,
            width: self.width,
            in_channels: self.in_channels,
            zero_init_residual: self.zero_init_residual,
        })
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
