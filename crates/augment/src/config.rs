//! Configuration of one view's pipeline, without missing values.
//!
//! This file must not apply anything to an image.

use serde::{Deserialize, Serialize};

/// Configuration of one view's pipeline: random resized crop, flip, colour jitter, greyscale, blur, solarise, in this
/// order. The default is the official T without its blur.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ViewConfig {
    /// Area of the crop as a fraction of the image's, `[low, high]` with 0 < low <= high <= 1.
    pub crop_scale: [f64; 2],
    /// Width / height of the crop, `[low, high]`, drawn log-uniformly.
    pub crop_ratio: [f64; 2],
    /// Probability of a horizontal flip.
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

/// Colour jitter: factors uniform in `[max(0, 1 - x), 1 + x]`, the hue shift uniform in `[-hue, hue]`.
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
    /// Largest hue shift, in [0, 0.5] of the colour circle.
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

/// Gaussian blur with a random standard deviation.
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
