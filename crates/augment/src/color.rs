//! The point operations on RGB: brightness, contrast, saturation, greyscale, solarise.
//!
//! Each is Pillow's (`ImageEnhance`, `Blend.c`, `Convert.c`, `ImageOps`) on 8-bit values, equal to the byte: factors
//! are `float` there, so they are f32 here, and results are cut, not rounded. They take [`RgbPlanes`], which no other
//! number of channels gives. This file must not draw random numbers.

use crate::RgbPlanes;
use crate::simd::dispatch;

/// Pillow's `ImageEnhance.Brightness`: every value times `factor` (>= 0), cut to [0, 255]. 1 changes nothing.
pub fn brightness(planes: RgbPlanes<'_>, factor: f64) {
    let factor = factor as f32;
    dispatch(|| {
        for plane in planes.into_array() {
            blend_with_constant(plane, 0, factor);
        }
    });
}

/// Pillow's `ImageEnhance.Contrast`: distance from the image's mean grey (rounded to a whole value) times `factor`.
pub fn contrast(planes: RgbPlanes<'_>, factor: f64) {
    let factor = factor as f32;
    dispatch(|| {
        let mean = sum_of_luma(&planes) as f64 / planes.r.len() as f64;
        for plane in planes.into_array() {
            blend_with_constant(plane, (mean + 0.5) as u8, factor);
        }
    });
}

/// Pillow's `ImageEnhance.Color`: distance of each value from its own pixel's grey times `factor`.
pub fn saturation(planes: RgbPlanes<'_>, factor: f64) {
    let factor = factor as f32;
    dispatch(|| blend_with_luma(planes, factor));
}

/// Pillow's `convert("L")` (ITU-R 601), the same value in all three channels.
pub fn greyscale(planes: RgbPlanes<'_>) {
    dispatch(|| repeat_luma(planes));
}

/// Pillow's `ImageOps.solarize` with its default threshold: values of 128 and more become `255 - value`.
pub fn solarize(planes: RgbPlanes<'_>) {
    dispatch(|| {
        for plane in planes.into_array() {
            for value in plane {
                // `min` and not a branch: for values below 128 the value itself is the smaller of the two.
                *value = (*value).min(255 - *value);
            }
        }
    });
}

/// Pillow's L of one RGB pixel: weights .299, .587, .114 in 1/65536, rounded.
#[inline(always)]
pub(crate) fn luma(r: u8, g: u8, b: u8) -> u8 {
    ((19595 * u32::from(r) + 38470 * u32::from(g) + 7471 * u32::from(b) + 0x8000) >> 16) as u8
}

/// Pillow's `Image.blend(degenerate, value, factor)` of one value, cut at 0 and 255 as Pillow's clip does.
#[inline(always)]
fn blend(degenerate: u8, value: u8, factor: f32) -> u8 {
    let (degenerate, value) = (f32::from(degenerate), f32::from(value));
    // Through i32, because a vector of f32 has an instruction for that.
    (degenerate + factor * (value - degenerate)).clamp(0.0, 255.0) as i32 as u8
}

#[inline(always)]
fn blend_with_constant(plane: &mut [u8], constant: u8, factor: f32) {
    for value in plane {
        *value = blend(constant, *value, factor);
    }
}

#[inline(always)]
fn sum_of_luma(planes: &RgbPlanes<'_>) -> u64 {
    /// So many pixels that their sum fits a u32 by far.
    const CHUNK: usize = 1 << 16;
    let chunks = planes
        .r
        .chunks(CHUNK)
        .zip(planes.g.chunks(CHUNK))
        .zip(planes.b.chunks(CHUNK));
    chunks
        .map(|((r, g), b)| {
            let pixels = r.iter().zip(g).zip(b);
            u64::from(pixels.map(|((r, g), b)| u32::from(luma(*r, *g, *b))).sum::<u32>())
        })
        .sum()
}

#[inline(always)]
fn blend_with_luma(planes: RgbPlanes<'_>, factor: f32) {
    for ((r, g), b) in planes.r.iter_mut().zip(planes.g).zip(planes.b) {
        let grey = luma(*r, *g, *b);
        (*r, *g, *b) = (
            blend(grey, *r, factor),
            blend(grey, *g, factor),
            blend(grey, *b, factor),
        );
    }
}

#[inline(always)]
fn repeat_luma(planes: RgbPlanes<'_>) {
    for ((r, g), b) in planes.r.iter_mut().zip(planes.g).zip(planes.b) {
        let grey = luma(*r, *g, *b);
        (*r, *g, *b) = (grey, grey, grey);
    }
}
