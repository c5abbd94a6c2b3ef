//! The pipeline of a view: first every draw, then the operations, in the official order
//! crop, flip, jitter, greyscale, blur, solarise, normalise.
//!
//! Drawing apart from applying keeps the random part small and testable, and lets a person see what was drawn. All
//! draws but the crop's are made whether they are used or not, so changing one probability moves no other draw.
//! This file must not read configs from anywhere: it takes validated ones.

use std::cell::RefCell;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::normalize::NormalizationTable;
use crate::resize::ResizeScratch;
use crate::rng::uniform;
use crate::{
    ConfigError, CropBox, Image8, Normalization, PlanarImage8, RgbImage8, TwinViewsConfig, ViewConfig, draw_crop,
    keyed_rng,
};

/// Stream of view a in [`keyed_rng`].
const STREAM_A: u64 = 0;
/// Stream of view b in [`keyed_rng`].
const STREAM_B: u64 = 1;

/// Both pipelines of a run, ready to be used from any number of threads.
#[derive(Debug, Clone)]
pub struct TwinViews {
    size: usize,
    a: ViewConfig,
    b: ViewConfig,
    table: NormalizationTable,
}

impl TwinViews {
    /// Resolves and checks the config.
    ///
    /// # Errors
    /// [`ConfigError`] naming the key that is out of range.
    pub fn new(config: &TwinViewsConfig, normalization: Normalization) -> Result<Self, ConfigError> {
        config.validate()?;
        normalization.validate()?;
        let (a, b) = config.resolve();
        Ok(Self {
            size: config.size,
            a,
            b,
            table: NormalizationTable::new(&normalization),
        })
    }

    /// Side of the views in pixels.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Channels of the images it takes: those of the normalisation.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.table.channels()
    }

    /// Values of one view: `channels * size * size`.
    #[must_use]
    pub fn values(&self) -> usize {
        self.channels() * self.size * self.size
    }

    /// Writes both views of the image as normalised `[channels, size, size]`. `index` is the sample's number in its set. What
    /// is written depends on nothing but the image and `(seed, epoch, index)`; neither view's draws touch the other's.
    ///
    /// # Panics
    /// If an output does not hold [`TwinViews::values`] values, or the image has another number of channels.
    pub fn apply(&self, image: &Image8, seed: u64, epoch: u64, index: u64, view_a: &mut [f32], view_b: &mut [f32]) {
        SCRATCH.with_borrow_mut(|scratch| {
            for (view, stream, output) in [(&self.a, STREAM_A, view_a), (&self.b, STREAM_B, view_b)] {
                let draw = draw_view(
                    view,
                    &mut keyed_rng(seed, epoch, index, stream),
                    image.width(),
                    image.height(),
                );
                self.table.write_chw(scratch.apply(image, &draw, self.size), output);
            }
        });
    }

    /// The two views before normalisation, for a person to look at; the same pixels [`TwinViews::apply`] uses.
    #[must_use]
    pub fn apply_u8(&self, image: &Image8, seed: u64, epoch: u64, index: u64) -> (Image8, Image8) {
        let view = |view: &ViewConfig, stream| {
            let draw = draw_view(
                view,
                &mut keyed_rng(seed, epoch, index, stream),
                image.width(),
                image.height(),
            );
            apply_draw(image, &draw, self.size)
        };
        (view(&self.a, STREAM_A), view(&self.b, STREAM_B))
    }
}

/// Everything that is random about one view of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewDraw {
    /// What is cut out and resized.
    pub crop: CropBox,
    /// Whether it is mirrored.
    pub flip: bool,
    /// The colour changes in their order; empty when the view is not jittered.
    pub jitter: Vec<JitterOp>,
    /// Whether the colours are taken away.
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
    // The crop comes last: it takes as many draws as it needs.
    let crop = draw_crop(rng, width, height, config.crop_scale, config.crop_ratio);
    let jitter = if is_jittered { jitter } else { Vec::new() };
    ViewDraw {
        crop,
        flip,
        jitter,
        greyscale,
        blur: is_blurred.then_some(sigma),
        solarize,
    }
}

/// Makes one view of `size` x `size` pixels from its draw. An image that is not RGB has no colours to change: only crop,
/// mirror and blur are applied to it.
///
/// # Panics
/// If the crop is not inside the image.
#[must_use]
pub fn apply_draw(image: &Image8, draw: &ViewDraw, size: usize) -> Image8 {
    SCRATCH.with_borrow_mut(|scratch| scratch.apply(image, draw, size).clone())
}

thread_local! {
    /// Buffers that live from image to image; nothing in them reaches the next result.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

struct Scratch {
    resize: ResizeScratch,
    rgb: Image8,
    planar: Image8,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            resize: ResizeScratch::default(),
            rgb: RgbImage8::default().into(),
            planar: PlanarImage8::default().into(),
        }
    }
}

impl Scratch {
    fn apply(&mut self, image: &Image8, draw: &ViewDraw, size: usize) -> &Image8 {
        match (image, &mut self.rgb, &mut self.planar) {
            (Image8::Rgb(image), Image8::Rgb(view), _) => {
                self.resize.resize(image, draw.crop, size, size, view);
                change_rgb(view, draw);
                &self.rgb
            }
            (Image8::Planar(image), _, Image8::Planar(view)) => {
                self.resize.resize_planes(image, draw.crop, size, size, view);
                if draw.flip {
                    crate::flip_planes_horizontal(view);
                }
                if let Some(sigma) = draw.blur {
                    crate::gaussian_blur_planes(view, sigma);
                }
                &self.planar
            }
            _ => unreachable!("the buffers keep their kinds"),
        }
    }
}

fn change_rgb(view: &mut RgbImage8, draw: &ViewDraw) {
    if draw.flip {
        crate::flip_horizontal(view);
    }
    for op in &draw.jitter {
        match *op {
            JitterOp::Brightness(factor) => crate::brightness(view, factor),
            JitterOp::Contrast(factor) => crate::contrast(view, factor),
            JitterOp::Saturation(factor) => crate::saturation(view, factor),
            JitterOp::Hue(turn) => crate::hue(view, turn),
        }
    }
    if draw.greyscale {
        crate::greyscale(view);
    }
    if let Some(sigma) = draw.blur {
        crate::gaussian_blur(view, sigma);
    }
    if draw.solarize {
        crate::solarize(view);
    }
}

/// The four factors in a random order. An operation of strength 0 is left out, as torchvision leaves it out.
fn draw_jitter(config: &ViewConfig, rng: &mut ChaCha8Rng) -> Vec<JitterOp> {
    let jitter = &config.jitter;
    let mut factor = |strength: f64| uniform(rng, (1.0 - strength).max(0.0), 1.0 + strength);
    let mut ops = [
        (jitter.brightness, JitterOp::Brightness(factor(jitter.brightness))),
        (jitter.contrast, JitterOp::Contrast(factor(jitter.contrast))),
        (jitter.saturation, JitterOp::Saturation(factor(jitter.saturation))),
        (jitter.hue, JitterOp::Hue(uniform(rng, -jitter.hue, jitter.hue))),
    ];
    // Fisher-Yates, the three draws always made.
    for last in (1..ops.len()).rev() {
        ops.swap(last, rng.random_range(0..=last as u64) as usize);
    }
    ops.into_iter()
        .filter(|(strength, _)| *strength > 0.0)
        .map(|(_, op)| op)
        .collect()
}

/// True with probability `p`; never for 0, always for 1, because the draw lies in [0, 1).
fn happens(rng: &mut ChaCha8Rng, p: f64) -> bool {
    rng.random::<f64>() < p
}
