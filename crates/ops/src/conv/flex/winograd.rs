//! Correlations of 3 × 3 taps at stride 1 with 2.25 times fewer multiplications: Winograd's F(2×2, 3×3) (Lavin and Gray 2016).
//!
//! A square of 2 × 2 outputs needs a patch of 4 × 4 inputs. Patch and weights are transformed to sixteen points, at each of which
//! the sum over input channels is one product, and the sixteen sums are transformed back to four outputs. The matrices contain
//! only 0, 1, −1 and ½, so the rounding error is that of a plain sum up to a small factor. The operands have the layout of the
//! direct kernel, which computes the products as a correlation with a single tap.

use std::ops::Range;

use barlow_simd::{Level, scratch};
use rayon::prelude::*;

use super::axis::Axis;
use super::blocked::{BlockSize, to_blocks, to_planes};
use super::buffers::{OUTPUT, PACKED, POINTS, PRODUCT};
use super::conv_kernel::ConvKernel;
use super::correlation::{ConvOutput, Correlation};
use super::packing::BLOCK;
use super::plan::ConvPlan;
use super::tiles::tile_width;
use super::transform::{FromPoints, SQUARE_POINTS, ToPoints, transformed_weights};

/// Minimum map width: narrower maps are faster with the direct kernel, which skips their padding.
const NARROWEST: usize = 12;
/// Minimum number of input and of output channels: with fewer, the transforms cost more than they save.
const CHANNELS: usize = 8;
/// Floats of transformed input per task.
const BAND_FLOATS: usize = 32 * 1024;

/// Whether the algorithm is applicable to a correlation and faster than the direct one.
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

/// Writes the output of a correlation that [`suits`]; `weights` in the order of `weights::pack`.
pub(super) fn run(level: Level, of: &Correlation, x: &[f32], weights: &[f32], mirrored: bool, output: ConvOutput<'_>) {
    let width = tile_width(level, of.channels_out);
    scratch::with_shared(weights.len() / 9 * SQUARE_POINTS, |points| {
        transformed_weights(level, weights, of.channels_in, width, mirrored, points);
        let tasks = tasks(level, of).into_par_iter();
        tasks.for_each(|task| task.run(x, points, output));
    });
}

/// The tasks, which together write the whole output.
pub(super) fn tasks(level: Level, of: &Correlation) -> Vec<WinogradTask<'_>> {
    let width = tile_width(level, of.channels_out);
    let first_shift = |axis: &Axis| axis.classes[0].iter().map(|tap| tap.shift).min().unwrap_or(0);
    let (height, columns) = (of.y.size_out.div_ceil(2), of.x.size_out.div_ceil(2));
    let blocks = of.channels_in.div_ceil(BLOCK);
    let band = (BAND_FLOATS / (columns * SQUARE_POINTS * blocks * BLOCK)).clamp(1, height.max(1));
    let shift = [first_shift(&of.y), first_shift(&of.x)];
    let mut tasks = Vec::new();
    for image in 0..of.images {
        tasks.extend((0..height).step_by(band).map(|row| WinogradTask {
            level,
            of,
            width,
            columns,
            shift,
            image,
            rows: row..height.min(row + band),
        }));
    }
    tasks
}

/// A task over some rows of squares of an image.
pub(super) struct WinogradTask<'a> {
    level: Level,
    of: &'a Correlation,
    /// Output channels per tile.
    width: usize,
    /// Squares per row.
    columns: usize,
    /// Offset of the first tap from an output, along y and x, in pixels.
    shift: [isize; 2],
    image: usize,
    rows: Range<usize>,
}

impl WinogradTask<'_> {
    /// Writes the task's rows; `weights` are transformed.
    pub fn run(&self, x: &[f32], weights: &[f32], output: ConvOutput<'_>) {
        let squares = self.rows.len() * self.columns;
        let (point, sums) = (self.point_floats(), squares * self.width + BLOCK);
        let tile_floats = SQUARE_POINTS * self.of.channels_in * self.width;
        scratch::with(POINTS, SQUARE_POINTS * point, |points| {
            self.pack(x, points);
            let plan = ConvPlan::line(squares);
            for (tile, weights) in weights.chunks_exact(tile_floats).enumerate() {
                scratch::with(PRODUCT, SQUARE_POINTS * sums, |product| {
                    let products = product.chunks_exact_mut(sums);
                    let operands = points
                        .chunks_exact(point)
                        .zip(weights.chunks_exact(tile_floats / SQUARE_POINTS));
                    for (out, (x, weights)) in products.zip(operands) {
                        self.level.run(ConvKernel {
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

    /// Floats per point: one block more than needed. Otherwise the points would often be a power of two apart and compete for a
    /// few sets of the L1 cache.
    fn point_floats(&self) -> usize {
        (self.of.channels_in.div_ceil(BLOCK) * self.rows.len() * self.columns + 1) * BLOCK
    }

    /// Transforms the patches of all squares: [point][block of channels][square][channel of the block].
    fn pack(&self, x: &[f32], points: &mut [f32]) {
        let (height, width) = (self.of.y.size_in, self.of.x.size_in);
        let squares = self.rows.len() * self.columns;
        let blocks = self.of.channels_in.div_ceil(BLOCK);
        // All rows and columns from the start of the first patch to the end of the last one, with zeros outside the image.
        let (rows, columns) = (2 * self.rows.len() + 2, 2 * self.columns + 2);
        let top = (2 * self.rows.start) as isize + self.shift[0];
        let inside = |row: usize| usize::try_from(top + row as isize).ok().filter(|&row| row < height);
        // Columns of the image that the patches contain, and the offset of the first.
        let from = self.shift[1].max(0) as usize;
        let left = (-self.shift[1]).max(0) as usize;
        let seen = width.saturating_sub(from).min(columns - left);
        scratch::with(PACKED, rows * columns * BLOCK, |packed| {
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
                        BlockSize { channels, pixels: seen },
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

    /// Transforms the sums of a tile back to outputs and writes the tile's channels, from `first` on.
    fn unpack(&self, product: &[f32], first: usize, output: ConvOutput<'_>) {
        let (height, width) = (self.of.y.size_out, self.of.x.size_out);
        let start = 2 * self.rows.start;
        let rows = 2 * self.rows.len();
        scratch::with(OUTPUT, rows * 2 * self.columns * self.width, |out| {
            self.level.run(FromPoints {
                product,
                point_floats: product.len() / SQUARE_POINTS,
                columns: self.columns,
                rows: self.rows.len(),
                width: self.width,
                out,
            });
            let rows = rows.min(height - start);
            let channels = self.width.min(self.of.channels_out - first);
            let place = ((self.image * self.of.channels_out + first) * height + start) * width;
            let end = place + (channels - 1) * height * width + rows * width;
            // SAFETY: no other task writes these rows of this image.
            let planes = unsafe { output.floats.at(place, end) };
            let whole = 2 * self.columns == width;
            for row in (0..rows).step_by(if whole { rows } else { 1 }) {
                let out = &out[row * 2 * self.columns * self.width..];
                let pixels = if whole { rows * width } else { width };
                // SAFETY: the pixels of these rows, inside the range that `at` has checked.
                unsafe {
                    to_planes(
                        self.level,
                        out,
                        self.width,
                        BlockSize { channels, pixels },
                        planes.add(row * width),
                        height * width,
                        output.adds,
                    )
                };
            }
        });
    }
}
