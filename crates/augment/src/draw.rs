//! Random parameters of a view, all drawn before any pixel is touched.
//!
//! Drawing separately from applying keeps the random part small and testable, and lets the user inspect the draws. All
//! draws but the crop's are made whether they are used or not, so changing one probability changes no other draw, and
//! they do not depend on the image's channels. This file must not touch an image.

use std::ops::Deref;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::rng::uniform;
use crate::{CropBox, ViewConfig, draw_crop};

/// All random parameters of one view of one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ViewDraw {
    /// The box that is cropped and resized.
    pub crop: CropBox,
    /// Whether the view is flipped horizontally.
    pub flip: bool,
    /// The colour changes in the order they are applied; empty when the view is not jittered.
    pub jitter: JitterOps,
    /// Whether the view is converted to greyscale.
    pub greyscale: bool,
    /// Standard deviation of the blur in pixels, if any.
    pub blur: Option<f64>,
    /// Whether the view is solarised.
    pub solarize: bool,
}

/// One colour change of the jitter with its factor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum JitterOp {
    /// See [`crate::brightness`].
    Brightness(f64),
    /// See [`crate::contrast`].
    Contrast(f64),
    /// See [`crate::saturation`].
    Saturation(f64),
    /// See [`crate::hue`].
    Hue(f64),
}

/// Draws one view for an image of the given size. The config must be valid ([`ViewConfig::validate`]).
pub fn draw_view(config: &ViewConfig, rng: &mut ChaCha8Rng, width: usize, height: usize) -> ViewDraw {
    let flip = happens(rng, config.flip);
    let is_jittered = happens(rng, config.jitter.p);
    let jitter = draw_jitter(config, rng);
    let greyscale = happens(rng, config.greyscale);
    let is_blurred = happens(rng, config.blur.p);
    let sigma = uniform(rng, config.blur.sigma[0], config.blur.sigma[1]);
    let solarize = happens(rng, config.solarize);
    // The crop comes last, because its number of draws varies.
    let crop = draw_crop(rng, width, height, config.crop_scale, config.crop_ratio);
    let jitter = if is_jittered { jitter } else { JitterOps::default() };
    ViewDraw {
        crop,
        flip,
        jitter,
        greyscale,
        blur: is_blurred.then_some(sigma),
        solarize,
    }
}

/// Up to four colour changes in the order they are applied: a slice without an allocation.
#[derive(Clone, Copy)]
pub struct JitterOps {
    ops: [JitterOp; 4],
    length: usize,
}

impl JitterOps {
    fn push(&mut self, op: JitterOp) {
        self.ops[self.length] = op;
        self.length += 1;
    }
}

impl Default for JitterOps {
    /// No colour changes.
    fn default() -> Self {
        Self {
            ops: [JitterOp::Brightness(1.0); 4],
            length: 0,
        }
    }
}

impl FromIterator<JitterOp> for JitterOps {
    /// # Panics
    /// If there are more than four.
    fn from_iter<I: IntoIterator<Item = JitterOp>>(ops: I) -> Self {
        let mut jitter = Self::default();
        for op in ops {
            assert!(jitter.length < 4, "more than the four colour changes there are");
            jitter.push(op);
        }
        jitter
    }
}

impl<const N: usize> From<[JitterOp; N]> for JitterOps {
    /// # Panics
    /// If there are more than four.
    fn from(ops: [JitterOp; N]) -> Self {
        ops.into_iter().collect()
    }
}

impl Deref for JitterOps {
    type Target = [JitterOp];

    fn deref(&self) -> &[JitterOp] {
        &self.ops[..self.length]
    }
}

impl PartialEq for JitterOps {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl std::fmt::Debug for JitterOps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&**self).finish()
    }
}

/// The four factors in a random order. An operation of strength 0 is skipped, as in torchvision.
fn draw_jitter(config: &ViewConfig, rng: &mut ChaCha8Rng) -> JitterOps {
    let jitter = &config.jitter;
    let mut factor = |strength: f64| uniform(rng, (1.0 - strength).max(0.0), 1.0 + strength);
    let mut ops = [
        (jitter.brightness, JitterOp::Brightness(factor(jitter.brightness))),
        (jitter.contrast, JitterOp::Contrast(factor(jitter.contrast))),
        (jitter.saturation, JitterOp::Saturation(factor(jitter.saturation))),
        (jitter.hue, JitterOp::Hue(uniform(rng, -jitter.hue, jitter.hue))),
    ];
    // Fisher-Yates; all three draws are always made.
    for last in (1..ops.len()).rev() {
        ops.swap(last, rng.random_range(0..=last as u64) as usize);
    }
    let strong = ops.into_iter().filter(|(strength, _)| *strength > 0.0);
    strong.map(|(_, op)| op).collect()
}

/// True with probability `p`; never for 0, always for 1, because the draw lies in [0, 1).
fn happens(rng: &mut ChaCha8Rng, p: f64) -> bool {
    rng.random::<f64>() < p
}
