//! Correlations with a single tap and no padding as matrix products: weights [C_out, C_in] times the pixels [C_in, positions] of
//! all images, at any stride.
//!
//! The positions of all images are numbered in one row and cut into panels, so that maps of 7 × 7 pixels fill the vectors, too. A
//! task copies the pixels of a few panels to the cache, which is the only copy that is made, and multiplies them by tiles of
//! weights.

use std::ops::Range;

use barlow_simd::{CacheSizes, Level, scratch};
use rayon::prelude::*;

use super::blocked::{BlockSize, to_blocks};
use super::buffers::PACKED;
use super::correlation::{ConvOutput, Correlation};
use super::product_kernel::{PackPanels, PanelProduct, PixelGrid, Segment, panel_pitch, panel_width, tile_size, tiles};

/// Target number of tasks per thread. A sum does not depend on the tasks, so that it may.
const TASKS_PER_THREAD: usize = 8;

/// Tiles of weights that are packed together.
const TILES_TOGETHER: usize = 8;

/// Whether a correlation is a matrix product.
pub(super) fn suits(of: &Correlation) -> bool {
    let unshifted = |axis: &super::axis::Axis| axis.classes[0].first().is_some_and(|tap| tap.shift == 0);
    of.kernel == 1 && unshifted(&of.y) && unshifted(&of.x)
}

/// Writes the output of a correlation that [`suits`]; weights [C_out, C_in], or [C_in, C_out] if `for_input_gradient`.
pub(super) fn run(
    level: Level,
    of: &Correlation,
    x: &[f32],
    weight: &[f32],
    for_input_gradient: bool,
    output: ConvOutput<'_>,
) {
    let tiles = tiles(level, of.channels_out);
    scratch::with_shared(of.channels_in * of.channels_out, |packed| {
        pack_weights(level, weight, of, for_input_gradient, &tiles, packed);
        let product = PointwiseProduct::new(level, of);
        let (count, floats) = (product.panels(), product.panel_floats());
        let wanted = rayon::current_num_threads() * TASKS_PER_THREAD;
        // The panels of a task stay in half of the second-level cache.
        let fitting = (CacheSizes::current().l2 / 2 / size_of::<f32>() / floats).max(1);
        let together = fitting.min(count.div_ceil(wanted)).max(1);
        let cuts = wanted.div_ceil(count.div_ceil(together)).clamp(1, tiles.len().max(1));
        let mut tasks = Vec::new();
        for panel in (0..count).step_by(together) {
            tasks.extend((0..cuts).map(|cut| {
                let tiles = &tiles[cut * tiles.len() / cuts..(cut + 1) * tiles.len() / cuts];
                (panel..count.min(panel + together), tiles)
            }));
        }
        tasks
            .into_par_iter()
            .for_each(|(panels, tiles)| product.run(x, packed, panels, tiles, output));
    });
}

/// Packs the weights in the kernel's order, [tile][input channel][output channel of the tile].
fn pack_weights(
    level: Level,
    weight: &[f32],
    of: &Correlation,
    for_input_gradient: bool,
    tiles: &[Range<usize>],
    packed: &mut [f32],
) {
    let (inputs, outputs) = (of.channels_in, of.channels_out);
    let mut rest = packed;
    let mut parts = Vec::with_capacity(tiles.len().div_ceil(TILES_TOGETHER));
    for tiles in tiles.chunks(TILES_TOGETHER) {
        let channels = tiles.iter().map(|tile| tile.len()).sum::<usize>();
        let (part, after) = rest.split_at_mut(channels * inputs);
        parts.push((tiles, part));
        rest = after;
    }
    parts.into_par_iter().for_each(|(tiles, part)| {
        let first = tiles[0].start;
        let place = |tile: &Range<usize>| (tile.start - first) * inputs;
        if for_input_gradient {
            // Input by input, because the weights of one input are neighbours.
            for (input, from) in weight.chunks_exact(outputs).enumerate() {
                for tile in tiles {
                    part[place(tile) + input * tile.len()..][..tile.len()].copy_from_slice(&from[tile.clone()]);
                }
            }
        } else {
            for tile in tiles {
                let size = BlockSize {
                    channels: tile.len(),
                    pixels: inputs,
                };
                let (from, to) = (&weight[tile.start * inputs..], &mut part[place(tile)..]);
                to_blocks(level, from, inputs, size, to, tile.len(), 0);
            }
        }
    });
}

/// A correlation as a product, with its two grids of pixels: each position reads a pixel of one and writes one of the other.
pub(super) struct PointwiseProduct {
    level: Level,
    images: usize,
    /// Of the grid, in positions.
    rows: usize,
    columns: usize,
    input: PixelGrid,
    output: PixelGrid,
}

impl PointwiseProduct {
    pub fn new(level: Level, of: &Correlation) -> Self {
        let (y, x) = (&of.y, &of.x);
        let input = PixelGrid {
            channels: of.channels_in,
            height: y.size_in,
            width: x.size_in,
            stride: x.in_stride,
        };
        let output = PixelGrid {
            channels: of.channels_out,
            height: y.size_out,
            width: x.size_out,
            stride: x.out_stride,
        };
        // One of the strides is 1, and that grid has as many pixels as there are positions.
        let mut rows = if x.out_stride == 1 { y.size_out } else { y.size_in };
        let mut columns = if x.out_stride == 1 { x.size_out } else { x.size_in };
        let dense = input.stride == 1 && output.stride == 1;
        if dense {
            (rows, columns) = (1, rows * columns);
        }
        Self {
            level,
            images: of.images,
            rows,
            columns,
            input,
            output,
        }
    }

    fn positions(&self) -> usize {
        tile_size(self.level)[1]
    }

    fn image_positions(&self) -> usize {
        self.rows * self.columns
    }

    /// Number of panels.
    pub fn panels(&self) -> usize {
        (self.images * self.image_positions()).div_ceil(self.positions())
    }

    fn panel_floats(&self) -> usize {
        panel_pitch(self.input.channels, self.positions())
    }

    /// The parts of a panel that are in one row of one image each.
    fn segments(&self, panel: usize) -> Vec<Segment> {
        let first = panel * self.positions();
        let end = (first + self.positions()).min(self.images * self.image_positions());
        let mut segments = Vec::new();
        let mut position = first;
        while position < end {
            let (row, column) = (position / self.columns, position % self.columns);
            let len = (self.columns - column).min(end - position);
            segments.push(Segment {
                start: position - first,
                len,
                image: row / self.rows,
                row: row % self.rows,
                column,
            });
            position += len;
        }
        segments
    }

    /// Writes some output channels at the positions of some panels.
    pub fn run(
        &self,
        x: &[f32],
        weights: &[f32],
        panels: Range<usize>,
        tiles: &[Range<usize>],
        output: ConvOutput<'_>,
    ) {
        let segments: Vec<Vec<Segment>> = panels.map(|panel| self.segments(panel)).collect();
        let filled = |segments: &Vec<Segment>| segments.last().map_or(0, |last| last.start + last.len);
        let widths: Vec<usize> = segments
            .iter()
            .map(|segments| panel_width(self.level, filled(segments)))
            .collect();
        scratch::with(PACKED, segments.len() * self.panel_floats(), |panels| {
            self.level.run(PackPanels {
                x,
                grid: self.input,
                segments: &segments,
                positions: self.positions(),
                widths: &widths,
                panels: &mut *panels,
            });
            self.level.run(PanelProduct {
                weights,
                depth: self.input.channels,
                tiles,
                panels,
                positions: self.positions(),
                widths: &widths,
                segments: &segments,
                grid: self.output,
                output,
            });
        });
    }
}
