//! The point operations: brightness, contrast, saturation, greyscale, solarise, and the mirror.
//!
//! Each is Pillow's (`ImageEnhance`, `Blend.c`, `Convert.c`, `ImageOps`) on 8-bit values, equal to the byte: factors
//! are `float` there, so they are f32 here, and results are cut, not rounded. This file must not draw random numbers.

use crate::{PlanarImage8, RgbImage8};

/// Pillow's `ImageEnhance.Brightness`: every value times `factor` (>= 0), cut to [0, 255]. 1 changes nothing.
pub fn brightness(image: &mut RgbImage8, factor: f64) {
    blend_with_constant(image, 0, factor as f32);
}

/// Pillow's `ImageEnhance.Contrast`: distance from the image's mean grey (rounded to a whole value) times `factor`.
pub fn contrast(image: &mut RgbImage8, factor: f64) {
    let sum: u64 = image.pixels().chunks_exact(3).map(|rgb| u64::from(luma(rgb))).sum();
    let mean = sum as f64 / (image.width() * image.height()) as f64;
    blend_with_constant(image, (mean + 0.5) as u8, factor as f32);
}

/// Pillow's `ImageEnhance.Color`: distance of each value from its own pixel's grey times `factor`.
pub fn saturation(image: &mut RgbImage8, factor: f64) {
    let factor = factor as f32;
    for rgb in image.pixels_mut().chunks_exact_mut(3) {
        let grey = luma(rgb);
        for value in rgb {
            *value = blend(grey, *value, factor);
        }
    }
}

/// Pillow's `convert("L")` (ITU-R 601), the same value in all three channels.
pub fn greyscale(image: &mut RgbImage8) {
    for rgb in image.pixels_mut().chunks_exact_mut(3) {
        rgb.fill(luma(rgb));
    }
}

/// Pillow's `ImageOps.solarize` with its default threshold: values of 128 and more become `255 - value`.
pub fn solarize(image: &mut RgbImage8) {
    for value in image.pixels_mut() {
        // `min` and not a branch: for values below 128 the value itself is the smaller of the two.
        *value = (*value).min(255 - *value);
    }
}

/// Mirrors left and right.
pub fn flip_horizontal(image: &mut RgbImage8) {
    let row = 3 * image.width();
    for line in image.pixels_mut().chunks_exact_mut(row) {
        let (mut left, mut right) = (0, row - 3);
        while left < right {
            for channel in 0..3 {
                line.swap(left + channel, right + channel);
            }
            left += 3;
            right -= 3;
        }
    }
}

/// Mirrors left and right, every plane.
pub fn flip_planes_horizontal(image: &mut PlanarImage8) {
    let row = image.width();
    image.pixels_mut().chunks_exact_mut(row).for_each(<[u8]>::reverse);
}

/// Pillow's L of one RGB pixel: weights .299, .587, .114 in 1/65536, rounded.
pub(crate) fn luma(rgb: &[u8]) -> u8 {
    ((19595 * u32::from(rgb[0]) + 38470 * u32::from(rgb[1]) + 7471 * u32::from(rgb[2]) + 0x8000) >> 16) as u8
}

/// Pillow's `Image.blend(degenerate, value, factor)` of one value. The cast cuts at 0 and 255 as Pillow's clip does.
fn blend(degenerate: u8, value: u8, factor: f32) -> u8 {
    let (degenerate, value) = (f32::from(degenerate), f32::from(value));
    (degenerate + factor * (value - degenerate)) as u8
}

fn blend_with_constant(image: &mut RgbImage8, constant: u8, factor: f32) {
    let table: [u8; 256] = std::array::from_fn(|value| blend(constant, value as u8, factor));
    for value in image.pixels_mut() {
        *value = table[usize::from(*value)];
    }
}
