//! Point operations on RGB: brightness, contrast, saturation, greyscale, solarise.
//!
//! Each is Pillow's (`ImageEnhance`, `Blend.c`, `Convert.c`, `ImageOps`) on 8-bit values, with byte-identical results:
//! factors are `float` there, so they are f32 here, and results are truncated, not rounded. They take [`RgbPlanes`],
//! which only an image of three channels provides. This file must not draw random numbers.

use crate::RgbPlanes;
use crate::simd::{cut_to_u8, vectorised};

/// Pillow's `ImageEnhance.Brightness`: every value times `factor` (>= 0), clipped to [0, 255]. 1 changes nothing.
pub fn brightness(planes: RgbPlanes<'_>, factor: f64) {
    blend_with_constant(planes, 0, factor as f32);
}

/// Pillow's `ImageEnhance.Contrast`: distance from the image's mean grey (rounded to a whole value) times `factor`.
pub fn contrast(mut planes: RgbPlanes<'_>, factor: f64) {
    let pixels = planes.r.len() as f64;
    let mean = sum_of_luma(planes.reborrow()) as f64 / pixels;
    blend_with_constant(planes, (mean + 0.5) as u8, factor as f32);
}

/// Pillow's `ImageEnhance.Color`: distance of each value from its own pixel's grey times `factor`.
pub fn saturation(planes: RgbPlanes<'_>, factor: f64) {
    blend_with_luma(planes, factor as f32);
}

/// Pillow's `convert("L")` (ITU-R 601), the same value in all three channels.
pub fn greyscale(planes: RgbPlanes<'_>) {
    repeat_luma(planes);
}

/// Pillow's `ImageOps.solarize` with its default threshold: values of 128 and more become `255 - value`.
pub fn solarize(planes: RgbPlanes<'_>) {
    invert_the_bright(planes);
}

/// Pillow's L of one RGB pixel: weights .299, .587, .114 in 1/65536, rounded.
#[inline(always)]
pub(crate) fn luma(r: u8, g: u8, b: u8) -> u8 {
    ((19595 * u32::from(r) + 38470 * u32::from(g) + 7471 * u32::from(b) + 0x8000) >> 16) as u8
}

/// Pillow's `Image.blend(degenerate, value, factor)` of one value, clipped to [0, 255] as in Pillow.
#[inline(always)]
fn blend(degenerate: u8, value: u8, factor: f32) -> u8 {
    let (degenerate, value) = (f32::from(degenerate), f32::from(value));
    cut_to_u8(degenerate + factor * (value - degenerate))
}

vectorised! {
    fn blend_with_constant<'a>(planes: RgbPlanes<'a>, constant: u8, factor: f32) {
        for plane in [planes.r, planes.g, planes.b] {
            for value in plane {
                *value = blend(constant, *value, factor);
            }
        }
    }
}

vectorised! {
    fn sum_of_luma<'a>(planes: RgbPlanes<'a>) -> u64 {
        /// Pixels per partial sum: few enough that the sum easily fits in a u32.
        const CHUNK: usize = 1 << 16;
        let chunks = planes
            .r
            .chunks(CHUNK)
            .zip(planes.g.chunks(CHUNK))
            .zip(planes.b.chunks(CHUNK));
        let mut total = 0;
        for ((r, g), b) in chunks {
            let mut sum = 0_u32;
            for ((r, g), b) in r.iter().zip(g).zip(b) {
                sum += u32::from(luma(*r, *g, *b));
            }
            total += u64::from(sum);
        }
        total
    }
}

vectorised! {
    fn blend_with_luma<'a>(planes: RgbPlanes<'a>, factor: f32) {
        for ((r, g), b) in planes.r.iter_mut().zip(planes.g).zip(planes.b) {
            let grey = luma(*r, *g, *b);
            *r = blend(grey, *r, factor);
            *g = blend(grey, *g, factor);
            *b = blend(grey, *b, factor);
        }
    }
}

vectorised! {
    fn repeat_luma<'a>(planes: RgbPlanes<'a>) {
        for ((r, g), b) in planes.r.iter_mut().zip(planes.g).zip(planes.b) {
            let grey = luma(*r, *g, *b);
            (*r, *g, *b) = (grey, grey, grey);
        }
    }
}

vectorised! {
    fn invert_the_bright<'a>(planes: RgbPlanes<'a>) {
        for plane in [planes.r, planes.g, planes.b] {
            for value in plane {
                // `min` and not a branch: for values below 128 the value itself is the smaller of the two.
                *value = (*value).min(255 - *value);
            }
        }
    }
}
