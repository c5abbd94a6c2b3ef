//! Direct correlation with any kernel size and stride: each task takes some images, rows and output channels, packs its input,
//! multiplies, and unpacks its output while all of it is in the core's cache.

use std::ops::Range;

use barlow_simd::{Level, scratch};
use rayon::prelude::*;

use super::blocked::{BlockSize, to_planes};
use super::buffers::{OUTPUT, PACKED};
use super::conv_kernel::ConvKernel;
use super::correlation::{ConvOutput, Correlation};
use super::packing::{BLOCK, Packing};
use super::plan::{ConvPlan, images_per_group};
use super::tiles::tile_width;

/// Floats of packed input per task: about a third of a small L2 cache.
const BAND_FLOATS: usize = 40 * 1024;
/// Floats of weights that a tile of positions is multiplied by before the next tile is processed.
const CHUNK_FLOATS: usize = 32 * 1024;
/// Target number of tasks.
const TASKS: usize = 24;

/// Writes the output; `packed` holds the weights in the order of `weights::pack`.
pub(super) fn run(level: Level, of: &Correlation, x: &[f32], packed: &[f32], output: ConvOutput<'_>) {
    let width = tile_width(level, of.channels_out);
    let group = images_per_group(of.x.size_out, of.images);
    let plan = |images| ConvPlan::new(&of.y, &of.x, of.kernel, images);
    let (whole, rest) = (plan(group), plan(of.images % group));
    let band = rows_in_band(of, &whole);
    let ranges = tile_ranges(of, width, of.images.div_ceil(group) * of.y.size_out.div_ceil(band));

    let mut tasks = Vec::new();
    for first in (0..of.images).step_by(group) {
        for row in (0..of.y.size_out).step_by(band) {
            tasks.extend(ranges.iter().map(|tiles| (first, row, tiles.clone())));
        }
    }
    tasks.into_par_iter().for_each(|(first, row, tiles)| {
        let plan = if first + group <= of.images { &whole } else { &rest };
        let task = DirectTask {
            level,
            of,
            plan,
            images: first..first + plan.images,
            rows: row..of.y.size_out.min(row + band),
        };
        task.run(x, packed, width, tiles, output);
    });
}

/// Output rows per task: few enough that their input fits in the cache, and enough that most input rows are not shared with
/// neighbouring tasks.
fn rows_in_band(of: &Correlation, plan: &ConvPlan) -> usize {
    let rows = BAND_FLOATS / (plan.pitch() * of.channels_in);
    let outputs = rows * of.y.out_stride / of.y.in_stride;
    outputs
        .max(2 * of.kernel.saturating_sub(1))
        .clamp(1, of.y.size_out.max(1))
}

/// Splits the tiles of output channels if images and rows alone give too few tasks.
fn tile_ranges(of: &Correlation, width: usize, tasks: usize) -> Vec<Range<usize>> {
    let tiles = of.channels_out.div_ceil(width);
    let cuts = TASKS.div_ceil(tasks.max(1)).clamp(1, tiles.max(1));
    (0..cuts)
        .map(|cut| cut * tiles / cuts..(cut + 1) * tiles / cuts)
        .collect()
}

/// Input channels per kernel call, in whole blocks. At least one block, even if the weights of a large kernel exceed the target.
fn channels_in_chunk(kernel: usize, width: usize) -> usize {
    (CHUNK_FLOATS / (kernel * kernel * width))
        .max(1)
        .next_multiple_of(BLOCK)
}

/// A task over some images and output rows.
pub(super) struct DirectTask<'a> {
    pub level: Level,
    pub of: &'a Correlation,
    pub plan: &'a ConvPlan,
    pub images: Range<usize>,
    pub rows: Range<usize>,
}

impl DirectTask<'_> {
    /// Computes and writes the output channels of `tiles`.
    pub fn run(&self, x: &[f32], weights: &[f32], width: usize, tiles: Range<usize>, output: ConvOutput<'_>) {
        let Correlation {
            channels_in, kernel, ..
        } = *self.of;
        let inputs = self.plan.inputs(self.rows.clone());
        let packing = Packing {
            level: self.level,
            plan: self.plan,
            block: BLOCK.min(channels_in),
            rows: inputs.clone(),
            height: self.of.y.size_in,
        };
        let tile_floats = kernel * kernel * channels_in * width;
        let chunk = channels_in_chunk(kernel, width);
        scratch::with(PACKED, packing.floats(channels_in), |packed| {
            packing.pack(x, self.images.clone(), channels_in, 0..channels_in, packed);
            scratch::with(OUTPUT, self.rows.len() * self.plan.out_pitch() * width, |out| {
                for tile in tiles {
                    for start in (0..channels_in).step_by(chunk) {
                        self.level.run(ConvKernel {
                            plan: self.plan,
                            rows: self.rows.clone(),
                            x: packed,
                            first_input: inputs.start,
                            block: packing.block,
                            block_floats: packing.block_floats(),
                            channels: channels_in,
                            chunk: start..channels_in.min(start + chunk),
                            weights: &weights[tile * tile_floats..][..tile_floats],
                            width,
                            out,
                            accumulate: start > 0,
                        });
                    }
                    self.unpack(out, tile * width, width, output);
                }
            });
        });
    }

    /// Writes the output channels of one tile, from `first` on.
    fn unpack(&self, out: &[f32], first: usize, width: usize, output: ConvOutput<'_>) {
        let (height, columns) = (self.of.y.size_out, self.of.x.size_out);
        let channels = width.min(self.of.channels_out - first);
        for (index, image) in self.images.clone().enumerate() {
            let start = ((image * self.of.channels_out + first) * height + self.rows.start) * columns;
            let end = start + (channels - 1) * height * columns + self.rows.len() * columns;
            let step = self.plan.images * width;
            // SAFETY: no other task writes these rows of these channels of this image.
            unsafe {
                let planes = output.floats.at(start, end);
                to_planes(
                    self.level,
                    &out[index * width..],
                    step,
                    BlockSize {
                        channels,
                        pixels: self.rows.len() * columns,
                    },
                    planes,
                    height * columns,
                    output.adds,
                );
            }
        }
    }
}
