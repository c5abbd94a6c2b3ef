//! A task of the gradient for the weights: some input and some output channels, over groups of images.

use std::ops::Range;

use crate::ops::cpu::simd::Level;

use super::axis::{Axis, AxisTap};
use super::outer::{Outer, Run};
use super::packing::{BLOCK, Packing};
use super::plan::Plan;
use super::scratch::{self, Use};
use super::shape::ConvShape;

/// Positions that are summed in registers: their channels of both sides stay in a first-level cache.
const POSITIONS: usize = 1024;

/// How the input and the output's gradient of a group of images lie in memory.
pub(super) struct Plans {
    input: Plan,
    /// Without padding, and with as many columns as there are outputs.
    output: Plan,
}

impl Plans {
    pub fn new(shape: &ConvShape, y: &Axis, x: &Axis, images: usize) -> Self {
        Self {
            input: Plan::new(y, x, shape.kernel, images),
            output: Plan::flat(shape.out_width, images),
        }
    }
}

/// The sums of some input and some output channels.
pub(super) struct Task<'a> {
    pub level: Level,
    pub shape: &'a ConvShape,
    pub y: &'a Axis,
    pub x: &'a Axis,
    pub inputs: Range<usize>,
    pub outputs: Range<usize>,
    pub width: usize,
}

impl Task<'_> {
    /// Sets the sums of this task to zero.
    ///
    /// # Safety
    /// As [`Task::add`].
    pub unsafe fn clear(&self, sums: *mut f32) {
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
    pub unsafe fn add(&self, x: &[f32], output_gradient: &[f32], images: Range<usize>, plans: &Plans, sums: *mut f32) {
        let shape = self.shape;
        let Plans {
            input: plan,
            output: flat,
        } = plans;
        let band = (POSITIONS / plan.out_pitch()).clamp(1, shape.out_height);
        for start in (0..shape.out_height).step_by(band) {
            let rows = start..shape.out_height.min(start + band);
            let input = Packing {
                level: self.level,
                plan,
                block: BLOCK.min(shape.channels_in),
                rows: plan.inputs(rows.clone()),
                height: shape.height,
            };
            let output = Packing {
                level: self.level,
                plan: flat,
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
