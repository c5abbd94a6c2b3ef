//! Gaussian blur as Pillow does it: three box blurs of a fractional radius along each axis.
//!
//! Why not a true Gaussian: the published recipes were trained with Pillow's approximation, and it is faster. The
//! definition is Pillow's `BoxBlur.c` (extended box blur of Gwosdek et al., SSVM 2011), including its fixed point
//! arithmetic and the rounding to 8 bits after each pass, so results are byte-identical. This file must not draw
//! random numbers: the caller passes `sigma`.

use crate::PlanarImage8;
use crate::simd::vectorised;

/// Number of box blurs that approximate one Gaussian (Pillow's default).
const PASSES: usize = 3;

/// Blurs every plane in place by Pillow's `GaussianBlur(sigma_pixels)`: along x three times, then along y three times.
/// Pixels beyond the border repeat the edge. `sigma_pixels` = 0 changes nothing. The run time grows with the integer
/// part of sigma.
///
/// # Panics
/// If `sigma_pixels` is negative or not finite.
pub fn gaussian_blur(image: &mut PlanarImage8, sigma_pixels: f64) {
    assert!(
        sigma_pixels.is_finite() && sigma_pixels >= 0.0,
        "sigma of a blur: {sigma_pixels}"
    );
    let window = BoxWindow::of_gaussian(sigma_pixels as f32);
    if window.far_weight == 0 && window.radius == 0 {
        return;
    }
    let (width, size) = (image.width(), image.width() * image.height());
    let mut scratch = Scratch {
        between: vec![0; size],
        lines: [0, 1].map(|_| vec![0; width + 2 * window.radius + 2]),
        sums: vec![0; width],
    };
    for plane in image.pixels_mut().chunks_exact_mut(size) {
        blur_plane(plane, width, &window, &mut scratch);
    }
}

/// A box of `2 * radius + 1` full pixels and, at both ends, one pixel of a smaller weight; weights in 1/2^24.
struct BoxWindow {
    radius: usize,
    weight: u32,
    far_weight: u32,
}

impl BoxWindow {
    /// The box whose [`PASSES`] passes have the variance of the Gaussian. Computed in f32 where Pillow uses `float`.
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

    /// The blurred value from the sum of the full pixels and the sum of the two at the ends.
    #[inline(always)]
    fn value(&self, sum: u32, far: u32) -> u8 {
        ((sum * self.weight + far * self.far_weight + (1 << 23)) >> 24) as u8
    }
}

/// Scratch buffers for one plane.
struct Scratch {
    /// A whole plane.
    between: Vec<u8>,
    /// Two rows with the edge repeated on both sides.
    lines: [Vec<u8>; 2],
    /// A sum for each value of a row.
    sums: Vec<u32>,
}

vectorised! {
    fn blur_plane<'a>(plane: &'a mut [u8], width: usize, window: &'a BoxWindow, scratch: &'a mut Scratch) {
        let Scratch {
            between,
            lines: [even, odd],
            sums,
        } = scratch;
        let start = window.radius + 1;
        for (row, out) in plane.chunks_exact(width).zip(between.chunks_exact_mut(width)) {
            even[start..start + width].copy_from_slice(row);
            repeat_edges(even, width, start);
            blur_row(&mut odd[start..start + width], window, sums, |at| &even[at..at + width]);
            repeat_edges(odd, width, start);
            blur_row(&mut even[start..start + width], window, sums, |at| &odd[at..at + width]);
            repeat_edges(even, width, start);
            blur_row(out, window, sums, |at| &even[at..at + width]);
        }
        blur_columns(between, plane, width, window, sums);
        blur_columns(plane, between, width, window, sums);
        blur_columns(between, plane, width, window, sums);
    }
}

#[inline(always)]
fn repeat_edges(line: &mut [u8], width: usize, start: usize) {
    let (first, last) = (line[start], line[start + width - 1]);
    line[..start].fill(first);
    line[start + width..start + width + start].fill(last);
}

/// One pass down the columns.
#[inline(always)]
fn blur_columns(input: &[u8], output: &mut [u8], width: usize, window: &BoxWindow, sums: &mut [u32]) {
    let last = input.len() / width - 1;
    for (y, out) in output.chunks_exact_mut(width).enumerate() {
        blur_row(out, window, sums, |at| {
            // The window's first row is radius + 1 above this one.
            let row = (y + at).saturating_sub(window.radius + 1).min(last);
            &input[row * width..(row + 1) * width]
        });
    }
}

/// One row of one pass. `window_at(k)` is the row of input values at position `k` of their windows, which have
/// `2 * radius + 3` positions.
#[inline(always)]
fn blur_row<'a>(out: &mut [u8], window: &BoxWindow, sums: &mut [u32], window_at: impl Fn(usize) -> &'a [u8]) {
    let wide = |value: &u8| u32::from(*value);
    let (before, after) = (window_at(0), window_at(2 * window.radius + 2));
    let ends = out.iter_mut().zip(before).zip(after);
    match window.radius {
        // Every sigma below 1.4: no running sums.
        0 => {
            for (((out, before), after), here) in ends.zip(window_at(1)) {
                *out = window.value(wide(here), wide(before) + wide(after));
            }
        }
        // Every sigma below 2.4.
        1 => {
            let three = window_at(1).iter().zip(window_at(2)).zip(window_at(3));
            for (((out, before), after), ((a, b), c)) in ends.zip(three) {
                *out = window.value(wide(a) + wide(b) + wide(c), wide(before) + wide(after));
            }
        }
        radius => {
            sums.fill(0);
            for at in 1..2 * radius + 2 {
                sums.iter_mut()
                    .zip(window_at(at))
                    .for_each(|(sum, value)| *sum += wide(value));
            }
            for (((out, before), after), sum) in ends.zip(sums) {
                *out = window.value(*sum, wide(before) + wide(after));
            }
        }
    }
}
