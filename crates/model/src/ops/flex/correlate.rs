//! A correlation over a whole batch: tasks of some images, rows and output channels, each of which packs its input,
//! multiplies and unpacks its output while both lie in its cache.
//!
//! Every output is one sum in one order that depends on the shape alone, wherever the tasks are cut. Knows nothing of
//! tensors.

use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use crate::ops::cpu::memory::written;
use crate::ops::cpu::places::Places;
use crate::ops::cpu::simd::Level;

use super::axis::Axis;
use super::blocked::{Size, to_planes};
use super::packing::{BLOCK, Packing};
use super::plan::{Plan, images_per_group};
use super::scratch::{self, Use};
use super::tiles::tile_width;
use super::weigh::Weigh;
use super::weights;
use super::winograd;

/// Floats of packed input in a task: about a third of a small second-level cache.
const BAND_FLOATS: usize = 40 * 1024;
/// Floats of weights that a tile of positions is multiplied with before the next tile.
const CHUNK_FLOATS: usize = 32 * 1024;
/// Tasks to aim for.
const TASKS: usize = 24;

/// Where an output goes.
#[derive(Clone, Copy)]
pub(super) struct Output<'a> {
    pub places: Places<'a>,
    /// Whether it is added to what is there.
    pub adds: bool,
}

/// What is correlated with what.
pub(super) struct Correlation {
    pub images: usize,
    pub channels_in: usize,
    pub channels_out: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Along the rows of the kernel.
    pub y: Axis,
    pub x: Axis,
}

impl Correlation {
    /// Floats of an image's output.
    pub fn image_out(&self) -> usize {
        self.channels_out * self.y.size_out * self.x.size_out
    }

    /// The output [N, C_out, H', W'] of `x` [N, C_in, H, W] and `weight`, which is [C_out, C_in, k, k], or
    /// [C_in, C_out, k, k] `for_input_gradient`.
    pub fn run(&self, level: Level, x: &[f32], weight: &[f32], for_input_gradient: bool) -> Vec<f32> {
        if self.is_zero(x) {
            return vec![0.0; self.images * self.image_out()];
        }
        let write = |floats: &mut [MaybeUninit<f32>]| {
            let output = Output {
                places: Places::fresh(floats),
                adds: false,
            };
            self.output(level, x, weight, for_input_gradient, output);
        };
        // SAFETY: the tasks are every image, row and tile of channels, and each writes all of its own.
        unsafe { written(self.images * self.image_out(), write) }
    }

    /// Adds the output to `sum`, element by element.
    ///
    /// # Panics
    /// If `sum` is not as long.
    pub fn add(&self, level: Level, x: &[f32], weight: &[f32], for_input_gradient: bool, sum: &mut [f32]) {
        assert_eq!(
            sum.len(),
            self.images * self.image_out(),
            "the length of a sum and an output"
        );
        if self.is_zero(x) {
            return;
        }
        let output = Output {
            places: Places::of(sum),
            adds: true,
        };
        self.output(level, x, weight, for_input_gradient, output);
    }

    /// Whether nothing is summed.
    fn is_zero(&self, x: &[f32]) -> bool {
        self.kernel * self.channels_in * x.len() == 0
    }

    fn output(&self, level: Level, x: &[f32], weight: &[f32], for_input_gradient: bool, output: Output<'_>) {
        let width = tile_width(level, self.channels_out);
        let taps = self.kernel * self.kernel;
        let dims = match for_input_gradient {
            true => [self.channels_in, self.channels_out, taps],
            false => [self.channels_out, self.channels_in, taps],
        };
        let packed = self.channels_out.div_ceil(width) * taps * self.channels_in * width;
        scratch::with_shared(packed, |packed| {
            weights::pack(level, weight, dims, for_input_gradient, width, packed);
            if winograd::suits(self) {
                winograd::run(level, self, x, packed, for_input_gradient, output);
            } else {
                self.direct(level, x, packed, output);
            }
        });
    }

    /// The output by the kernel for any taps.
    fn direct(&self, level: Level, x: &[f32], packed: &[f32], output: Output<'_>) {
        let width = tile_width(level, self.channels_out);
        let group = images_per_group(self.x.size_out, self.images);
        let plan = |images| Plan::new(&self.y, &self.x, self.kernel, images);
        let (whole, rest) = (plan(group), plan(self.images % group));
        let band = self.rows_in_band(&whole);
        let ranges = self.ranges(width, self.images.div_ceil(group) * self.y.size_out.div_ceil(band));

        let mut tasks = Vec::new();
        for first in (0..self.images).step_by(group) {
            for row in (0..self.y.size_out).step_by(band) {
                tasks.extend(ranges.iter().map(|tiles| (first, row, tiles.clone())));
            }
        }
        tasks.into_par_iter().for_each(|(first, row, tiles)| {
            let plan = if first + group <= self.images { &whole } else { &rest };
            let task = Task {
                level,
                of: self,
                plan,
                images: first..first + plan.images,
                rows: row..self.y.size_out.min(row + band),
            };
            task.run(x, packed, width, tiles, output);
        });
    }

    /// Output rows of a task: their input fits the cache, and is not mostly rows that the neighbours read too.
    fn rows_in_band(&self, plan: &Plan) -> usize {
        let rows = BAND_FLOATS / (plan.pitch() * self.channels_in);
        let outputs = rows * self.y.out_stride / self.y.in_stride;
        outputs
            .max(2 * self.kernel.saturating_sub(1))
            .clamp(1, self.y.size_out.max(1))
    }

    /// Cuts the tiles of output channels if images and rows are too few tasks.
    fn ranges(&self, width: usize, tasks: usize) -> Vec<Range<usize>> {
        let tiles = self.channels_out.div_ceil(width);
        let cuts = TASKS.div_ceil(tasks.max(1)).clamp(1, tiles.max(1));
        (0..cuts)
            .map(|cut| cut * tiles / cuts..(cut + 1) * tiles / cuts)
            .collect()
    }
}

/// Some images and output rows.
struct Task<'a> {
    level: Level,
    of: &'a Correlation,
    plan: &'a Plan,
    images: Range<usize>,
    rows: Range<usize>,
}

impl Task<'_> {
    fn run(&self, x: &[f32], weights: &[f32], width: usize, tiles: Range<usize>, output: Output<'_>) {
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
        let chunk = (CHUNK_FLOATS / (kernel * kernel * width)).next_multiple_of(BLOCK);
        scratch::with(Use::Packed, packing.floats(channels_in), |packed| {
            packing.pack(x, self.images.clone(), channels_in, 0..channels_in, packed);
            scratch::with(Use::Output, self.rows.len() * self.plan.out_pitch() * width, |out| {
                for tile in tiles {
                    for start in (0..channels_in).step_by(chunk) {
                        self.level.run(Weigh {
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

    /// Writes the output channels from `first` on, of one tile.
    fn unpack(&self, out: &[f32], first: usize, width: usize, output: Output<'_>) {
        let (height, columns) = (self.of.y.size_out, self.of.x.size_out);
        let channels = width.min(self.of.channels_out - first);
        for (index, image) in self.images.clone().enumerate() {
            let place = ((image * self.of.channels_out + first) * height + self.rows.start) * columns;
            let end = place + (channels - 1) * height * columns + self.rows.len() * columns;
            let step = self.plan.images * width;
            // SAFETY: no other task has these rows of these channels of this image.
            unsafe {
                let planes = output.places.at(place, end);
                to_planes(
                    self.level,
                    &out[index * width..],
                    step,
                    Size {
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
