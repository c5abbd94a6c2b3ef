//! The pipeline of a view: first every draw, then the operations, in the official order
//! crop, flip, jitter, greyscale, blur, solarise, normalise.
//!
//! An image in work is planar whatever it was decoded to: the loops of the operations are several times quicker so.
//! This file must not read configs from anywhere: it takes validated ones.

use std::cell::RefCell;

use crate::normalize::NormalizationTable;
use crate::{
    ConfigError, Image8, JitterOp, Normalization, PlanarImage8, RgbImage8, RgbPlanes, TwinViewsConfig, ViewConfig,
    ViewDraw, draw_view, keyed_rng,
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
        VIEW.with_borrow_mut(|pixels| {
            for (view, stream, output) in [(&self.a, STREAM_A, view_a), (&self.b, STREAM_B, view_b)] {
                let draw = draw_view(
                    view,
                    &mut keyed_rng(seed, epoch, index, stream),
                    image.width(),
                    image.height(),
                );
                apply_to(image, &draw, self.size, pixels);
                self.table.write_planes(pixels, output);
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

/// Makes one view of `size` x `size` pixels from its draw. An image that is not RGB has no colours to change: only crop,
/// mirror and blur are applied to it.
///
/// # Panics
/// If the crop is not inside the image.
#[must_use]
pub fn apply_draw(image: &Image8, draw: &ViewDraw, size: usize) -> Image8 {
    let mut view = PlanarImage8::default();
    apply_to(image, draw, size, &mut view);
    match image {
        Image8::Rgb(_) => RgbImage8::from(&view).into(),
        Image8::Planar(_) => view.into(),
    }
}

thread_local! {
    /// The view in work: a buffer that lives from image to image; nothing in it reaches the next result.
    static VIEW: RefCell<PlanarImage8> = RefCell::default();
}

fn apply_to(image: &Image8, draw: &ViewDraw, size: usize, view: &mut PlanarImage8) {
    crate::resize_bicubic_into(image, draw.crop, size, size, view);
    if draw.flip {
        crate::flip_horizontal(view);
    }
    let is_rgb = matches!(image, Image8::Rgb(_));
    if let Some(planes) = view.rgb_planes().filter(|_| is_rgb) {
        change_colours(planes, draw);
    }
    if let Some(sigma) = draw.blur {
        crate::gaussian_blur(view, sigma);
    }
    if let Some(planes) = view.rgb_planes().filter(|_| is_rgb && draw.solarize) {
        crate::solarize(planes);
    }
}

fn change_colours(mut planes: RgbPlanes<'_>, draw: &ViewDraw) {
    for op in &*draw.jitter {
        let planes = planes.reborrow();
        match *op {
            JitterOp::Brightness(factor) => crate::brightness(planes, factor),
            JitterOp::Contrast(factor) => crate::contrast(planes, factor),
            JitterOp::Saturation(factor) => crate::saturation(planes, factor),
            JitterOp::Hue(turn) => crate::hue(planes, turn),
        }
    }
    if draw.greyscale {
        crate::greyscale(planes);
    }
}
