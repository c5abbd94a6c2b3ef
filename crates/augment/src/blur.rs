//! Gaussian blur as Pillow does it: three box blurs of a fractional radius along each axis.
//!
//! Why not a true Gaussian: the published recipes were trained with Pillow's approximation, and it is faster. The
//! definition is Pillow's `BoxBlur.c` (extended box blur of Gwosdek et al., SSVM 2011), including its fixed point
//! arithmetic and the rounding to 8 bits after each pass, so results are equal to the byte. This file must not draw
//! random numbers: the caller gives `sigma`.

use crate::{PlanarImage8, RgbImage8};

/// Number of box blurs that stand for one Gaussian (Pillow's default).
const PASSES: usize = 3;

/// Blurs the image in place by Pillow's `GaussianBlur(sigma_pixels)`: along x three times, then along y three times.
/// Pixels beyond the border repeat the edge. `sigma_pixels` = 0 changes nothing.
///
/// # Panics
/// If `sigma_pixels` is negative or not finite.
pub fn gaussian_blur(image: &mut RgbImage8, sigma_pixels: f64) {
    let (width, height) = (image.width(), image.height());
    blur_interleaved::<3>(image.pixels_mut(), width, height, sigma_pixels);
}

/// [`gaussian_blur`] of every plane.
///
/// # Panics
/// As [`gaussian_blur`].
pub fn gaussian_blur_planes(image: &mut PlanarImage8, sigma_pixels: f64) {
    let (width, height) = (image.width(), image.height());
    for channel in 0..image.channels() {
        blur_interleaved::<1>(image.plane_mut(channel), width, height, sigma_pixels);
    }
}

fn blur_interleaved<const C: usize>(pixels: &mut [u8], width: usize, height: usize, sigma_pixels: f64) {
    assert!(
        sigma_pixels.is_finite() && sigma_pixels >= 0.0,
        "sigma of a blur: {sigma_pixels}"
    );
    let window = BoxWindow::of_gaussian(sigma_pixels as f32);
    if window.far_weight == 0 && window.radius == 0 {
        return;
    }
    let mut other = vec![0; pixels.len()];
    // Only columns are blurred, whole rows at a time (that is what vectorises); x is y of the transposed image.
    for (rows, row_pixels) in [(height, width), (width, height)] {
        transpose::<C>(pixels, &mut other, row_pixels, rows);
        let mut sums = vec![0; C * rows];
        // Three passes to and fro, the last one back into the image.
        blur_columns(&other, pixels, C * rows, &window, &mut sums);
        blur_columns(pixels, &mut other, C * rows, &window, &mut sums);
        blur_columns(&other, pixels, C * rows, &window, &mut sums);
    }
}

/// A box of `2 * radius + 1` full pixels and, at both ends, one pixel of a smaller weight; weights in 1/2^24.
struct BoxWindow {
    radius: usize,
    weight: u32,
    far_weight: u32,
}

impl BoxWindow {
    /// The box whose [`PASSES`] passes have the variance of the Gaussian. In f32 where Pillow has `float`.
    fn of_gaussian(sigma: f32) -> Self {
        let variance = sigma * sigma / PASSES as f32;
        let length = (12.0 * f64::from(variance) + 1.0).sqrt() as f32;
        let whole = ((f64::from(length) - 1.0) / 2.0).floor() as f32;
        let fraction = (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * variance)
            / (6.0 * (variance - (whole + 1.0) * (whole + 1.0)));
        let radius = whole + fraction;
        let weight = ((1_u32 << 24) as f32 / (radius * 2.0 + 1.0)) as u32;
        let far_weight = ((1_u32 << 24) - (radius as u32 * 2 + 1) * weight) / 2;
        Self {
            radius: radius as usize,
            weight,
            far_weight,
        }
    }
}

/// One pass down the columns. `row` is the number of bytes in a row; `sums` holds one running sum per byte of a row.
fn blur_columns(input: &[u8], output: &mut [u8], row: usize, window: &BoxWindow, sums: &mut [u32]) {
    let last = input.len() / row - 1;
    let radius = window.radius as isize;
    let line = |y: isize| {
        let y = y.clamp(0, last as isize) as usize;
        &input[y * row..(y + 1) * row]
    };
    // The sum around row -1, which lies outside the image: the first step of the loop moves it to row 0.
    sums.fill(0);
    for y in -radius - 1..radius {
        for (sum, &byte) in sums.iter_mut().zip(line(y)) {
            *sum += u32::from(byte);
        }
    }
    for (y, out) in (0..).zip(output.chunks_exact_mut(row)) {
        let (before, enters, after) = (line(y - radius - 1), line(y + radius), line(y + radius + 1));
        for ((((out, sum), &before), &enters), &after) in
            out.iter_mut().zip(&mut *sums).zip(before).zip(enters).zip(after)
        {
            *sum = *sum + u32::from(enters) - u32::from(before);
            let total = *sum * window.weight + (u32::from(before) + u32::from(after)) * window.far_weight;
            *out = ((total + (1 << 23)) >> 24) as u8;
        }
    }
}

/// `output[x][y] = input[y][x]` for `rows` rows of `width` pixels.
fn transpose<const C: usize>(input: &[u8], output: &mut [u8], width: usize, rows: usize) {
    for (y, line) in input.chunks_exact(C * width).enumerate() {
        for (x, pixel) in line.chunks_exact(C).enumerate() {
            let start = C * (x * rows + y);
            output[start..start + C].copy_from_slice(pixel);
        }
    }
}
