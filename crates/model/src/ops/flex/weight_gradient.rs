//! The gradient for the weights: a sum over all images, cut into ranges of channels (independent) and chunks of images
//! (partial sums added in their order), by the shape alone, so that the result does not depend on the number of threads.

use std::ops::Range;

use rayon::prelude::*;

use crate::ops::cpu::simd::Level;

use super::axis::{Axis, AxisTap};
use super::blocked::to_planes;
use super::correlate::{BLOCK, Packing};
use super::outer::{Outer, Run};
use super::output::Output;
use super::plan::{Plan, images_per_group};
use super::scratch::{self, Use};
use super::shape::ConvShape;
use super::tiles::tile_width;

/// Channels of a task, of either side.
const CHANNELS: usize = 128;
/// Positions that are summed in registers: their channels of both sides stay in a first-level cache.
const POSITIONS: usize = 1024;
/// Tasks to aim for: enough for many cores, few enough that partial sums stay cheap.
const TASKS: usize = 32;
/// Floats of partial sums (unless a single chunk has more).
const PARTIAL_FLOATS: usize = 2 * 1024 * 1024;

/// From `x` [N, C_in, H, W] and `output_gradient` [N, C_out, H', W'] to [C_out, C_in, k, k].
pub(super) fn weight_gradient(level: Level, shape: &ConvShape, x: &[f32], output_gradient: &[f32]) -> Vec<f32> {
    if shape.weights() * x.len() * output_gradient.len() == 0 {
        return vec![0.0; shape.weights()];
    }
    let width = tile_width(level, shape.channels_out);
    let group = images_per_group(shape.out_width, shape.images);
    let ranges = shape.channels_in.div_ceil(CHANNELS) * shape.channels_out.div_ceil(CHANNELS);
    // One sum a chunk of images, [tile of output channels][input channel][tap][output channel of the tile].
    let sum_floats = shape.channels_out.div_ceil(width) * shape.depth() * width;
    let chunks = (TASKS / ranges)
        .min(PARTIAL_FLOATS / sum_floats)
        .clamp(1, shape.images.div_ceil(group));
    let images = shape.images.div_ceil(chunks).next_multiple_of(group);
    let chunks = shape.images.div_ceil(images);

    let mut tasks = Vec::new();
    for chunk in 0..chunks {
        for input in (0..shape.channels_in).step_by(CHANNELS) {
            for output in (0..shape.channels_out).step_by(CHANNELS) {
                tasks.push((chunk, input, output));
            }
        }
    }
    let (y, axis) = shape.axes();
    scratch::with_shared(chunks * sum_floats, |sums| {
        let shared = Shared(sums.as_mut_ptr());
        tasks.into_par_iter().for_each(|(chunk, input, output)| {
            let task = Task {
                level,
                shape,
                y: &y,
                x: &axis,
                inputs: input..shape.channels_in.min(input + CHANNELS),
                outputs: output..shape.channels_out.min(output + CHANNELS),
                width,
            };
            let last = shape.images.min((chunk + 1) * images);
            // SAFETY: the sums of a chunk, an input and an output channel belong to one task.
            unsafe {
                let sums = shared.at(chunk * sum_floats);
                task.clear(sums);
                for first in (chunk * images..last).step_by(group) {
                    task.add(x, output_gradient, first..last.min(first + group), sums);
                }
            }
        });
        add_up(sums, sum_floats);
        unpack(level, shape, &sums[..sum_floats], width)
    })
}

/// Sums that tasks add to, each at its own places.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

// SAFETY: used at disjoint places only.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Shared {
    /// # Safety
    /// `offset` lies inside.
    unsafe fn at(self, offset: usize) -> *mut f32 {
        // SAFETY: the caller's.
        unsafe { self.0.add(offset) }
    }
}

/// The sums of some input and some output channels.
struct Task<'a> {
    level: Level,
    shape: &'a ConvShape,
    y: &'a Axis,
    x: &'a Axis,
    inputs: Range<usize>,
    outputs: Range<usize>,
    width: usize,
}

impl Task<'_> {
    /// Sets the sums of this task to zero.
    ///
    /// # Safety
    /// As [`Task::add`].
    unsafe fn clear(&self, sums: *mut f32) {
        let row = self.shape.taps() * self.width;
        for tile in self.outputs.start / self.width..self.outputs.end.div_ceil(self.width) {
            let place = (tile * self.shape.channels_in + self.inputs.start) * row;
            // SAFETY: inside the sums of this task.
            unsafe { sums.add(place).write_bytes(0, self.inputs.len() * row) };
        }
    }

    /// Adds the products over a group of images.
    ///
    /// # Safety
    /// `sums` holds the sums of all channels, and nothing else touches those of this task's meanwhile.
    unsafe fn add(&self, x: &[f32], output_gradient: &[f32], images: Range<usize>, sums: *mut f32) {
        let shape = self.shape;
        let plan = Plan::new(self.y, self.x, shape.kernel, images.len());
        // The output's gradient has no padding, and as many columns as there are outputs.
        let flat = Plan::flat(shape.out_width, images.len());
        let band = (POSITIONS / plan.out_pitch()).clamp(1, shape.out_height);
        for start in (0..shape.out_height).step_by(band) {
            let rows = start..shape.out_height.min(start + band);
            let input = Packing {
                level: self.level,
                plan: &plan,
                block: BLOCK.min(shape.channels_in),
                rows: plan.inputs(rows.clone()),
                height: shape.height,
            };
            let output = Packing {
                level: self.level,
                plan: &flat,
                block: self.width,
                rows: rows.clone(),
                height: shape.out_height,
            };
            if input.rows.is_empty() {
                continue;
            }
            scratch::with(Use::Packed, input.floats(self.inputs.len()), |packed| {
                input.pack(x, images.clone(), shape.channels_in, self.inputs.clone(), packed);
                scratch::with(Use::Output, output.floats(self.outputs.len()), |gradient| {
                    output.pack(
                        output_gradient,
                        images.clone(),
                        shape.channels_out,
                        self.outputs.clone(),
                        gradient,
                    );
                    // SAFETY: the caller's.
                    unsafe { self.multiply(&input, packed, gradient, rows, sums) };
                });
            });
        }
    }

    /// # Safety
    /// As [`Task::add`].
    unsafe fn multiply(&self, input: &Packing<'_>, x: &[f32], gradient: &[f32], rows: Range<usize>, sums: *mut f32) {
        let shape = self.shape;
        let taps = shape.taps();
        let runs: Vec<Vec<Run>> = (0..taps).map(|tap| self.runs(input, tap, rows.clone())).collect();
        let tile_floats = rows.len() * input.plan.out_pitch() * self.width;
        for (tile, gradient) in gradient.chunks_exact(tile_floats).enumerate() {
            let tile = self.outputs.start / self.width + tile;
            for (index, x) in x.chunks_exact(input.block_floats()).enumerate() {
                let first = self.inputs.start + index * input.block;
                for (tap, runs) in runs.iter().enumerate() {
                    let place = ((tile * shape.channels_in + first) * taps + tap) * self.width;
                    self.level.run(Outer {
                        runs,
                        x,
                        block: input.block,
                        channels: input.block.min(self.inputs.end - first),
                        in_step: if input.plan.images == 1 { shape.stride } else { 1 },
                        gradient,
                        width: self.width,
                        // SAFETY: inside the sums, and the caller's promise.
                        sums: unsafe { sums.add(place) },
                        sum_step: taps * self.width,
                    });
                }
            }
        }
    }

    /// The positions of the output rows whose tap is inside the image.
    fn runs(&self, input: &Packing<'_>, tap: usize, rows: Range<usize>) -> Vec<Run> {
        let plan = input.plan;
        let (ky, kx) = (
            self.y.classes[0][tap / self.shape.kernel],
            self.x.classes[0][tap % self.shape.kernel],
        );
        let mut runs = Vec::new();
        for row in rows.clone() {
            let Some(input_row) = self.y.input(row, ky) else {
                continue;
            };
            let place = [
                (input_row - input.rows.start) * plan.pitch(),
                (row - rows.start) * plan.out_pitch(),
            ];
            self.row_runs(plan, kx, place, &mut runs);
        }
        runs
    }

    fn row_runs(&self, plan: &Plan, kx: AxisTap, [input_row, out_row]: [usize; 2], runs: &mut Vec<Run>) {
        let column = |out: usize| ((plan.left + out * self.x.in_stride) as isize + kx.shift) as usize;
        let columns = if plan.images == 1 {
            0..self.x.size_out
        } else {
            self.x.inside(0, kx)
        };
        let together = plan.images == 1 || self.x.in_stride == 1;
        let step = if together { columns.len().max(1) } else { 1 };
        for out in columns.clone().step_by(step) {
            runs.push(Run {
                x: input_row + column(out) * plan.images,
                gradient: out_row + out * plan.images,
                len: step * plan.images,
            });
        }
    }
}

/// Adds the sums of all chunks to those of the first, in their order.
fn add_up(sums: &mut [f32], sum_floats: usize) {
    const RUN: usize = 4096;
    let (total, others) = sums.split_at_mut(sum_floats);
    total.par_chunks_mut(RUN).enumerate().for_each(|(run, total)| {
        for sums in others.chunks_exact(sum_floats) {
            let addends = &sums[run * RUN..][..total.len()];
            total
                .iter_mut()
                .zip(addends)
                .for_each(|(total, addend)| *total += addend);
        }
    });
}

/// Sums by tiles to [C_out, C_in, k, k].
fn unpack(level: Level, shape: &ConvShape, sums: &[f32], width: usize) -> Vec<f32> {
    let depth = shape.depth();
    let gradient = Output::new(shape.weights());
    sums.par_chunks_exact(depth * width)
        .enumerate()
        .for_each(|(tile, sums)| {
            let first = tile * width;
            let channels = width.min(shape.channels_out - first);
            // SAFETY: no other tile has these output channels.
            unsafe {
                let planes = gradient.at(first * depth, (first + channels) * depth);
                to_planes(level, sums, width, channels, depth, planes, depth);
            }
        });
    // SAFETY: the tiles are all output channels.
    unsafe { gradient.finish() }
}
