//! The pipeline of a view: first every draw, then the operations, in the official order
//! crop, flip, jitter, greyscale, blur, solarise, normalise.
//!
//! An image is planar while it is processed, whatever it was decoded to: the operations are several times faster on planes.
//! This file must not read configs from anywhere: it takes validated ones.

use crate::{Image8, JitterOp, PlanarImage8, RgbImage8, RgbPlanes, ViewDraw};

/// Makes one view of `size` x `size` pixels from its draw. An image that is not RGB has no colours to change: only crop,
/// flip and blur are applied to it.
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

/// [`apply_draw`] into a buffer: `view` becomes the planar view, whatever it held before.
pub(crate) fn apply_to(image: &Image8, draw: &ViewDraw, size: usize, view: &mut PlanarImage8) {
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
