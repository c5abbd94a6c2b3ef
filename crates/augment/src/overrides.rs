//! Overrides of single values of a view, as in `views.a` and `views.b`: everything is optional.
//!
//! Why not `Option`s in [`ViewConfig`]: the pipeline must not see a missing value. This file must not know defaults:
//! values that are not given come from the preset.

use serde::{Deserialize, Serialize};

use crate::{BlurConfig, JitterConfig, ViewConfig};

/// The values of [`ViewConfig`] that differ from the preset; `None` keeps the preset's value.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ViewOverrides {
    /// See [`ViewConfig::crop_scale`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop_scale: Option<[f64; 2]>,
    /// See [`ViewConfig::crop_ratio`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop_ratio: Option<[f64; 2]>,
    /// See [`ViewConfig::flip`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flip: Option<f64>,
    /// See [`ViewConfig::greyscale`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greyscale: Option<f64>,
    /// See [`ViewConfig::solarize`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solarize: Option<f64>,
    /// See [`ViewConfig::jitter`].
    #[serde(skip_serializing_if = "is_default")]
    pub jitter: JitterOverrides,
    /// See [`ViewConfig::blur`].
    #[serde(skip_serializing_if = "is_default")]
    pub blur: BlurOverrides,
}

/// The values of [`JitterConfig`] that differ from the preset.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JitterOverrides {
    /// See [`JitterConfig::p`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// See [`JitterConfig::brightness`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brightness: Option<f64>,
    /// See [`JitterConfig::contrast`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contrast: Option<f64>,
    /// See [`JitterConfig::saturation`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saturation: Option<f64>,
    /// See [`JitterConfig::hue`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hue: Option<f64>,
}

/// The values of [`BlurConfig`] that differ from the preset.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlurOverrides {
    /// See [`BlurConfig::p`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// See [`BlurConfig::sigma`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma: Option<[f64; 2]>,
}

impl ViewOverrides {
    /// `base` with the given values replaced.
    #[must_use]
    pub fn over(&self, base: ViewConfig) -> ViewConfig {
        let (jitter, blur) = (&self.jitter, &self.blur);
        ViewConfig {
            crop_scale: self.crop_scale.unwrap_or(base.crop_scale),
            crop_ratio: self.crop_ratio.unwrap_or(base.crop_ratio),
            flip: self.flip.unwrap_or(base.flip),
            greyscale: self.greyscale.unwrap_or(base.greyscale),
            solarize: self.solarize.unwrap_or(base.solarize),
            jitter: JitterConfig {
                p: jitter.p.unwrap_or(base.jitter.p),
                brightness: jitter.brightness.unwrap_or(base.jitter.brightness),
                contrast: jitter.contrast.unwrap_or(base.jitter.contrast),
                saturation: jitter.saturation.unwrap_or(base.jitter.saturation),
                hue: jitter.hue.unwrap_or(base.jitter.hue),
            },
            blur: BlurConfig {
                p: blur.p.unwrap_or(base.blur.p),
                sigma: blur.sigma.unwrap_or(base.blur.sigma),
            },
        }
    }
}

impl From<ViewConfig> for ViewOverrides {
    /// Overrides every value.
    fn from(view: ViewConfig) -> Self {
        let JitterConfig {
            p,
            brightness,
            contrast,
            saturation,
            hue,
        } = view.jitter;
        Self {
            crop_scale: Some(view.crop_scale),
            crop_ratio: Some(view.crop_ratio),
            flip: Some(view.flip),
            greyscale: Some(view.greyscale),
            solarize: Some(view.solarize),
            jitter: JitterOverrides {
                p: Some(p),
                brightness: Some(brightness),
                contrast: Some(contrast),
                saturation: Some(saturation),
                hue: Some(hue),
            },
            blur: BlurOverrides {
                p: Some(view.blur.p),
                sigma: Some(view.blur.sigma),
            },
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
