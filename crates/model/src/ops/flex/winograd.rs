//! Correlations of 3 × 3 taps at stride 1 with 2.25 times fewer multiplications: Winograd's F(2×2, 3×3) (Lavin and Gray 2016).
//!
//! Four outputs of a square need a patch of 4 × 4 inputs. Patch and weights are transformed to sixteen points, at each of
//! which the sum over input channels is one product, and sixteen sums are transformed back to four outputs. The matrices hold
//! 0, 1, −1 and ½ only, so rounding stays that of a plain sum within a small factor. What is multiplied lies as the direct
//! kernel has it, so the products are its own, with one tap.

use std::ops::Range;

use rayon::prelude::*;

use crate::ops::cpu::simd::Level;

use super::blocked::{Size, to_blocks, to_planes};
use super::correlate::{Correlation, Output};
use super::packing::BLOCK;
use super::plan::Plan;
use super::scratch::{self, Use};
use super::tiles::tile_width;
use super::transform::{FromPoints, POINTS, ToPoints, transformed_weights};
use super::weigh::Weigh;

/// Narrower maps are better off without their padding.
const NARROWEST: usize = 12;
/// Fewer channels on either side, and the transforms cost more than they save.
const CHANNELS: usize = 8;
/// Floats of transformed input in a task.
const BAND_FLOATS: usize = 32 * 1024;

/// Whether a correlation is of this kind, and large enough.
pub(super) fn suits(correlation: &Correlation) -> bool {
    let Correlation {
        channels_in,
        channels_out,
        kernel,
        y,
        x,
        ..
    } = correlation;
    let plain = y.in_stride * y.out_stride * x.in_stride * x.out_stride == 1;
    *kernel == 3 && plain && x.size_out >= NARROWEST && (*channels_in).min(*channels_out) >= CHANNELS
}

/// The output of a correlation that [`suits`]; `weights` as `weights::pack` makes them.
pub(super) fn run(level: Level, of: &Correlation, x: &[f32], weights: &[f32], mirrored: bool, output: Output<'_>) {
    let width = tile_width(level, of.channels_out);
    let first_shift = |axis: &super::axis::Axis| axis.classes[0].iter().map(|tap| tap.shift).min().unwrap_or(0);
    let (height, columns) = (of.y.size_out.div_ceil(2), of.x.size_out.div_ceil(2));
    let blocks = of.channels_in.div_ceil(BLOCK);
    let band = (BAND_FLOATS / (columns * POINTS * blocks * BLOCK)).clamp(1, height.max(1));
    let shift = [first_shift(&of.y), first_shift(&of.x)];
    let mut tasks = Vec::new();
    for image in 0..of.images {
        tasks.extend(
            (0..height)
                .step_by(band)
                .map(|row| (image, row..height.min(row + band))),
        );
    }
    scratch::with_shared(weights.len() / 9 * POINTS, |points| {
        transformed_weights(level, weights, of.channels_in, width, mirrored, points);
        tasks.into_par_iter().for_each(|(image, rows)| {
            let task = Task {
                level,
                of,
                width,
                columns,
                shift,
                image,
                rows,
            };
            task.run(x, points, output);
        });
    });
}

/// Some rows of squares of an image.
struct Task<'a> {
    level: Level,
    of: &'a Correlation,
    /// Output channels of a tile.
    width: usize,
    /// Squares of a row.
    columns: usize,
    /// What the first tap adds to an output's place, along y and x.
    shift: [isize; 2],
    image: usize,
    rows: Range<usize>,
}

impl Task<'_> {
    fn run(&self, x: &[f32], weights: &[f32], output: Output<'_>) {
        let squares = self.rows.len() * self.columns;
        let (point, sums) = (self.point_floats(), squares * self.width + BLOCK);
        let tile_floats = POINTS * self.of.channels_in * self.width;
        scratch::with(Use::Points, POINTS * point, |points| {
            self.pack(x, points);
            let plan = Plan::line(squares);
            for (tile, weights) in weights.chunks_exact(tile_floats).enumerate() {
                scratch::with(Use::Product, POINTS * sums, |product| {
                    let products = product.chunks_exact_mut(sums);
                    let operands = points
                        .chunks_exact(point)
                        .zip(weights.chunks_exact(tile_floats / POINTS));
                    for (out, (x, weights)) in products.zip(operands) {
                        self.level.run(Weigh {
                            plan: &plan,
                            rows: 0..1,
                            x,
                            first_input: 0,
                            block: BLOCK,
                            block_floats: squares * BLOCK,
                            channels: self.of.channels_in,
                            chunk: 0..self.of.channels_in,
                            weights,
                            width: self.width,
                            out,
                            accumulate: false,
                        });
                    }
                    self.unpack(product, tile * self.width, output);
                });
            }
        });
    }

    /// Floats of a point: one block more than there are, or the points would lie a power of two apart and share a few places
    /// of the first-level cache.
    fn point_floats(&self) -> usize {
        (self.of.channels_in.div_ceil(BLOCK) * self.rows.len() * self.columns + 1) * BLOCK
    }

    /// Transforms the patches of all squares: [point][block of channels][square][channel of the block].
    fn pack(&self, x: &[f32], points: &mut [f32]) {
        let (height, width) = (self.of.y.size_in, self.of.x.size_in);
        let squares = self.rows.len() * self.columns;
        let blocks = self.of.channels_in.div_ceil(BLOCK);
        // Rows and columns from the first patch's first to the last one's last, zeros outside the image.
        let (rows, columns) = (2 * self.rows.len() + 2, 2 * self.columns + 2);
        let top = (2 * self.rows.start) as isize + self.shift[0];
        let inside = |row: usize| usize::try_from(top + row as isize).ok().filter(|&row| row < height);
        // Columns of the image that patches see, and where the first of them lies.
        let from = self.shift[1].max(0) as usize;
        let left = (-self.shift[1]).max(0) as usize;
        let seen = width.saturating_sub(from).min(columns - left);
        scratch::with(Use::Packed, rows * columns * BLOCK, |packed| {
            for block in 0..blocks {
                let first = block * BLOCK;
                let channels = BLOCK.min(self.of.channels_in - first);
                for (row, packed) in packed.chunks_exact_mut(columns * BLOCK).enumerate() {
                    let Some(row) = inside(row) else {
                        packed.fill(0.0);
                        continue;
                    };
                    packed[..left * BLOCK].fill(0.0);
                    packed[(left + seen) * BLOCK..].fill(0.0);
                    let place = ((self.image * self.of.channels_in + first) * height + row) * width + from;
                    to_blocks(
                        self.level,
                        &x[place..],
                        height * width,
                        Size { channels, pixels: seen },
                        &mut packed[left * BLOCK..],
                        BLOCK,
                        width,
                    );
                }
                self.level.run(ToPoints {
                    packed,
                    columns: self.columns,
                    rows: self.rows.len(),
                    block: BLOCK,
                    point_floats: self.point_floats(),
                    points: &mut points[block * squares * BLOCK..],
                });
            }
        });
    }

    /// Transforms the sums of a tile back and writes the output channels from `first` on.
    fn unpack(&self, product: &[f32], first: usize, output: Output<'_>) {
        let (height, width) = (self.of.y.size_out, self.of.x.size_out);
        let start = 2 * self.rows.start;
        let rows = 2 * self.rows.len();
        scratch::with(Use::Output, rows * 2 * self.columns * self.width, |out| {
            self.level.run(FromPoints {
                product,
                point_floats: product.len() / POINTS,
                columns: self.columns,
                rows: self.rows.len(),
                width: self.width,
                out,
            });
            let rows = rows.min(height - start);
            let channels = self.width.min(self.of.channels_out - first);
            let place = ((self.image * self.of.channels_out + first) * height + start) * width;
            let end = place + (channels - 1) * height * width + rows * width;
            // SAFETY: no other task has these rows of this image.
            let planes = unsafe { output.places.at(place, end) };
            let whole = 2 * self.columns == width;
            for row in (0..rows).step_by(if whole { rows } else { 1 }) {
                let out = &out[row * 2 * self.columns * self.width..];
                let pixels = if whole { rows * width } else { width };
                // SAFETY: the pixels of these rows, inside what `at` has checked.
                unsafe {
                    to_planes(
                        self.level,
                        out,
                        self.width,
                        Size { channels, pixels },
                        planes.add(row * width),
                        height * width,
                        output.adds,
                    )
                };
            }
        });
    }
}
