//! Gaussian blur as Pillow does it: three box blurs of a fractional radius along each axis.
//!
//! Why not a true Gaussian: the published recipes were trained with Pillow's approximation, and it is faster. The
//! definition is Pillow's `BoxBlur.c` (extended box blur of Gwosdek et al., SSVM 2011), including its fixed point
//! arithmetic and the rounding to 8 bits after each pass, so results are equal to the byte. This file must not draw
//! random numbers: the caller gives `sigma`.

use crate::PlanarImage8;
use crate::simd::dispatch;

/// Number of box blurs that stand for one Gaussian (Pillow's default).
const PASSES: usize = 3;
/// Values computed together: their sums fit the registers.
const LANES: usize = 64;

/// Blurs every plane in place by Pillow's `GaussianBlur(sigma_pixels)`: along x three times, then along y three times.
/// Pixels beyond the border repeat the edge. `sigma_pixels` = 0 changes nothing.
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
    let (width, height) = (image.width(), image.height());
    let size = width * height;
    let mut scratch = Scratch {
        between: vec![0; size],
        lines: [0, 1].map(|_| vec![0; width + 2 * window.radius + 2 + LANES]),
    };
    for plane in image.pixels_mut().chunks_exact_mut(size) {
        dispatch(|| match window.radius {
            // The radii of every sigma below 2.4, with loops of known length.
            0 => blur_plane(plane, width, &BoxWindow { radius: 0, ..window }, &mut scratch),
            1 => blur_plane(plane, width, &BoxWindow { radius: 1, ..window }, &mut scratch),
            _ => blur_plane(plane, width, &window, &mut scratch),
        });
    }
}

/// A box of `2 * radius + 1` full pixels and, at both ends, one pixel of a smaller weight; weights in 1/2^24.
#[derive(Clone, Copy)]
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

    /// The blurred value from the sum of the full pixels and the sum of the two at the ends.
    #[inline(always)]
    fn value(&self, sum: u32, far: u32) -> u8 {
        ((sum * self.weight + far * self.far_weight + (1 << 23)) >> 24) as u8
    }
}

/// Buffers of one plane.
struct Scratch {
    /// A whole plane.
    between: Vec<u8>,
    /// Two rows with the edge repeated on both sides.
    lines: [Vec<u8>; 2],
}

#[inline(always)]
fn blur_plane(plane: &mut [u8], width: usize, window: &BoxWindow, scratch: &mut Scratch) {
    let Scratch {
        between,
        lines: [even, odd],
    } = scratch;
    let start = window.radius + 1;
    for (row, out) in plane.chunks_exact(width).zip(between.chunks_exact_mut(width)) {
        even[start..start + width].copy_from_slice(row);
        repeat_edges(even, width, start);
        blur_line(even, &mut odd[start..start + width], window);
        repeat_edges(odd, width, start);
        blur_line(odd, &mut even[start..start + width], window);
        repeat_edges(even, width, start);
        blur_line(even, out, window);
    }
    blur_columns(between, plane, width, window);
    blur_columns(plane, between, width, window);
    blur_columns(between, plane, width, window);
}

#[inline(always)]
fn repeat_edges(line: &mut [u8], width: usize, start: usize) {
    let (first, last) = (line[start], line[start + width - 1]);
    line[..start].fill(first);
    line[start + width..start + width + start].fill(last);
}

/// One pass along a row that starts `radius + 1` values into `line`.
#[inline(always)]
fn blur_line(line: &[u8], out: &mut [u8], window: &BoxWindow) {
    let length = 2 * window.radius + 1;
    for (chunk, out) in out.chunks_mut(LANES).enumerate() {
        // The line is longer than its row by LANES, so that every chunk is whole.
        let here = &line[chunk * LANES..];
        let mut sums = [0_u32; LANES];
        for offset in 1..=length {
            add(&mut sums, &here[offset..offset + LANES]);
        }
        write(
            out,
            &sums,
            &here[..LANES],
            &here[length + 1..length + 1 + LANES],
            window,
        );
    }
}

/// One pass down the columns.
#[inline(always)]
fn blur_columns(input: &[u8], output: &mut [u8], width: usize, window: &BoxWindow) {
    let last = input.len() / width - 1;
    let line = |y: isize| &input[y.clamp(0, last as isize) as usize * width..][..width];
    let radius = window.radius as isize;
    for (y, out) in (0..).zip(output.chunks_exact_mut(width)) {
        let (above, below) = (line(y - radius - 1), line(y + radius + 1));
        for (((out, above), below), start) in out
            .chunks_mut(LANES)
            .zip(above.chunks(LANES))
            .zip(below.chunks(LANES))
            .zip((0..).step_by(LANES))
        {
            let mut sums = [0_u32; LANES];
            for row in y - radius..=y + radius {
                add(&mut sums, &line(row)[start..start + out.len()]);
            }
            write(out, &sums, above, below, window);
        }
    }
}

#[inline(always)]
fn add(sums: &mut [u32; LANES], values: &[u8]) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum += u32::from(value);
    }
}

#[inline(always)]
fn write(out: &mut [u8], sums: &[u32; LANES], before: &[u8], after: &[u8], window: &BoxWindow) {
    for (((out, &sum), &before), &after) in out.iter_mut().zip(sums).zip(before).zip(after) {
        *out = window.value(sum, u32::from(before) + u32::from(after));
    }
}
