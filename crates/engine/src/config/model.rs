//! `[model]`: backbone and projector.

use super::ConfigError;
use barlow_model::{BackboneConfig, ConvInit, ProjectorConfig, ResNetConfig, ResNetDepth, Stem};
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
    /// A [`Backbone`](barlow_model::Backbone) of a custom program, which alone can build it.
    Custom,
}

impl ModelSection {
    /// The backbone of these settings.
    ///
    /// # Errors
    /// [`ConfigError::CustomBackbone`].
    pub fn backbone(&self) -> Result<BackboneConfig, ConfigError> {
        let depth = match self.backbone {
            BackboneKind::ResNet18 => ResNetDepth::ResNet18,
            BackboneKind::ResNet34 => ResNetDepth::ResNet34,
            BackboneKind::ResNet50 => ResNetDepth::ResNet50,
            BackboneKind::ResNet101 => ResNetDepth::ResNet101,
            BackboneKind::ResNet152 => ResNetDepth::ResNet152,
            BackboneKind::WideResNet50 => ResNetDepth::WideResNet50,
            BackboneKind::WideResNet101 => ResNetDepth::WideResNet101,
            BackboneKind::ResNext50 => ResNetDepth::ResNext50,
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
    use barlow_model::Stem;

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
}
