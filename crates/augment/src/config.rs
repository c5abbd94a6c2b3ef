//! What the two views are made of: the `views` section of a config file.
//!
//! A preset gives all values; keys under `views.a` and `views.b` replace single ones (see [`crate::ViewOverrides`]).
//! This file must not apply anything to an image.

use serde::{Deserialize, Serialize};

use crate::{ViewOverrides, ViewPreset};

/// One view's pipeline, complete: random resized crop, flip, colour jitter, greyscale, blur, solarise, in this order.
/// The default is the official T with its blur off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ViewConfig {
    /// Area of the crop as a fraction of the image's, `[low, high]` with 0 < low <= high <= 1.
    pub crop_scale: [f64; 2],
    /// Width / height of the crop, `[low, high]`, drawn log-uniformly.
    pub crop_ratio: [f64; 2],
    /// Probability of a mirror image.
    pub flip: f64,
    /// Probability of greyscale.
    pub greyscale: f64,
    /// Probability of solarising (threshold 128).
    pub solarize: f64,
    /// Random brightness, contrast, saturation and hue, in random order.
    pub jitter: JitterConfig,
    /// Gaussian blur.
    pub blur: BlurConfig,
}

impl Default for ViewConfig {
    fn default() -> Self {
        Self {
            crop_scale: [0.08, 1.0],
            crop_ratio: [3.0 / 4.0, 4.0 / 3.0],
            flip: 0.5,
            greyscale: 0.2,
            solarize: 0.0,
            jitter: JitterConfig::default(),
            blur: BlurConfig::default(),
        }
    }
}

/// Colour jitter: factors uniform in `[max(0, 1 - x), 1 + x]`, the hue's turn uniform in `[-hue, hue]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JitterConfig {
    /// Probability that the view is jittered at all.
    pub p: f64,
    /// Strength for brightness, >= 0.
    pub brightness: f64,
    /// Strength for contrast, >= 0.
    pub contrast: f64,
    /// Strength for saturation, >= 0.
    pub saturation: f64,
    /// Largest turn of the hue, in [0, 0.5] of the colour circle.
    pub hue: f64,
}

impl Default for JitterConfig {
    fn default() -> Self {
        Self {
            p: 0.8,
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.2,
            hue: 0.1,
        }
    }
}

/// Gaussian blur with a random width.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlurConfig {
    /// Probability of a blur.
    pub p: f64,
    /// Standard deviation in pixels of the *output*, `[low, high]`, drawn uniformly.
    pub sigma: [f64; 2],
}

impl Default for BlurConfig {
    fn default() -> Self {
        Self {
            p: 0.0,
            sigma: [0.1, 2.0],
        }
    }
}

/// The `views` section: `views.preset`, `views.size`, `views.a.*`, `views.b.*`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TwinViewsConfig {
    /// Where all values not given under `a` and `b` come from.
    pub preset: ViewPreset,
    /// Side of both (square) views in pixels.
    pub size: usize,
    /// What view a has different from the preset.
    pub a: ViewOverrides,
    /// What view b has different from the preset.
    pub b: ViewOverrides,
}

impl Default for TwinViewsConfig {
    /// The official views: 224 pixels, preset `imagenet`.
    fn default() -> Self {
        Self {
            preset: ViewPreset::Imagenet,
            size: 224,
            a: ViewOverrides::default(),
            b: ViewOverrides::default(),
        }
    }
}

impl TwinViewsConfig {
    /// The complete pipelines of view a and view b: the preset's with the overrides applied. Not validated.
    #[must_use]
    pub fn resolve(&self) -> (ViewConfig, ViewConfig) {
        let (a, b) = self.preset.views();
        (self.a.over(a), self.b.over(b))
    }

    /// The same config with every value written out, as a run stores it: it keeps its meaning should a preset change.
    #[must_use]
    pub fn resolved(&self) -> Self {
        let (a, b) = self.resolve();
        Self {
            a: a.into(),
            b: b.into(),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JitterOverrides;

    #[test]
    fn an_override_replaces_one_value_of_one_view() {
        let mut config = TwinViewsConfig {
            preset: ViewPreset::Cifar,
            ..Default::default()
        };
        config.b.jitter = JitterOverrides {
            hue: Some(0.25),
            ..Default::default()
        };
        let (a, b) = config.resolve();
        assert_eq!(a, ViewPreset::Cifar.views().0);
        assert_eq!(
            b.jitter,
            JitterConfig {
                hue: 0.25,
                ..JitterConfig::default()
            }
        );
        assert_eq!(config.resolved().resolve(), (a, b));
        assert_eq!(config.resolved().resolved(), config.resolved());
    }
}
