//! A task of the weight gradient: some input and some output channels, over groups of images.

use std::ops::Range;

use barlow_simd::{Level, scratch};

use super::axis::{Axis, AxisTap};
use super::buffers::{OUTPUT, PACKED};
use super::packing::{BLOCK, Packing};
use super::plan::ConvPlan;
use super::shape::ConvShape;
use super::weight_grad_kernel::{PositionRun, WeightGradKernel};

/// Positions summed in registers at a time: few enough that their input and output channels stay in the L1 cache.
const POSITIONS: usize = 1024;

/// Layouts of the input and the output gradient of a group of images.
pub(super) struct WeightGradPlans {
    input: ConvPlan,
    /// Without padding; one column per output.
    output: ConvPlan,
}

impl WeightGradPlans {
    pub fn new(shape: &ConvShape, y: &Axis, x: &Axis, images: usize) -> Self {
        Self {
            input: ConvPlan::new(y, x, shape.kernel, images),
            output: ConvPlan::flat(shape.out_width, images),
        }
    }
}

/// A task: the sums of some input and some output channels.
pub(super) struct WeightGradTask<'a> {
    pub level: Level,
    pub shape: &'a ConvShape,
    pub y: &'a Axis,
    pub x: &'a Axis,
    pub inputs: Range<usize>,
    pub outputs: Range<usize>,
    pub width: usize,
}

impl WeightGradTask<'_> {
    /// Sets the sums of this task to zero.
    ///
    /// # Safety
    /// Same as [`add`](Self::add).
    pub unsafe fn clear(&self, sums: *mut f32) {
        let row = self.shape.taps() * self.width;
        for tile in self.outputs.start / self.width..self.outputs.end.div_ceil(self.width) {
            let offset = (tile * self.shape.channels_in + self.inputs.start) * row;
            // SAFETY: inside the sums of this task.
            unsafe { sums.add(offset).write_bytes(0, self.inputs.len() * row) };
        }
    }

    /// Adds the products over a group of images.
    ///
    /// # Safety
    /// `sums` must point to the sums of all channels, and nothing else may access this task's sums during the call.
    pub unsafe fn add(
        &self,
        x: &[f32],
        output_gradient: &[f32],
        images: Range<usize>,
        plans: &WeightGradPlans,
        sums: *mut f32,
    ) {
        let shape = self.shape;
        let WeightGradPlans {
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
            scratch::with(PACKED, input.floats(self.inputs.len()), |packed| {
                input.pack(x, images.clone(), shape.channels_in, self.inputs.clone(), packed);
                scratch::with(OUTPUT, output.floats(self.outputs.len()), |gradient| {
                    output.pack(
                        output_gradient,
                        images.clone(),
                        shape.channels_out,
                        self.outputs.clone(),
                        gradient,
                    );
                    // SAFETY: guaranteed by the caller.
                    unsafe { self.multiply(&input, packed, gradient, rows, sums) };
                });
            });
        }
    }

    /// # Safety
    /// Same as [`add`](Self::add).
    unsafe fn multiply(&self, input: &Packing<'_>, x: &[f32], gradient: &[f32], rows: Range<usize>, sums: *mut f32) {
        let shape = self.shape;
        let taps = shape.taps();
        let runs: Vec<Vec<PositionRun>> = (0..taps).map(|tap| self.runs(input, tap, rows.clone())).collect();
        let tile_floats = rows.len() * input.plan.out_pitch() * self.width;
        for (tile, gradient) in gradient.chunks_exact(tile_floats).enumerate() {
            let tile = self.outputs.start / self.width + tile;
            for (index, x) in x.chunks_exact(input.block_floats()).enumerate() {
                let first = self.inputs.start + index * input.block;
                for (tap, runs) in runs.iter().enumerate() {
                    let offset = ((tile * shape.channels_in + first) * taps + tap) * self.width;
                    self.level.run(WeightGradKernel {
                        runs,
                        x,
                        block: input.block,
                        channels: input.block.min(self.inputs.end - first),
                        in_step: if input.plan.images == 1 { shape.stride } else { 1 },
                        gradient,
                        width: self.width,
                        // SAFETY: inside the sums, as guaranteed by the caller.
                        sums: unsafe { sums.add(offset) },
                        sum_step: taps * self.width,
                    });
                }
            }
        }
    }

    /// The positions of the output rows for which the tap reads inside the image.
    fn runs(&self, input: &Packing<'_>, tap: usize, rows: Range<usize>) -> Vec<PositionRun> {
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
            let starts = [
                (input_row - input.rows.start) * plan.pitch(),
                (row - rows.start) * plan.out_pitch(),
            ];
            self.row_runs(plan, kx, starts, &mut runs);
        }
        runs
    }

    fn row_runs(&self, plan: &ConvPlan, kx: AxisTap, [input_row, out_row]: [usize; 2], runs: &mut Vec<PositionRun>) {
        let column = |out: usize| ((plan.left + out * self.x.in_stride) as isize + kx.shift) as usize;
        let columns = if plan.images == 1 {
            0..self.x.size_out
        } else {
            self.x.inside(0, kx)
        };
        let together = plan.images == 1 || self.x.in_stride == 1;
        let step = if together { columns.len().max(1) } else { 1 };
        for out in columns.clone().step_by(step) {
            runs.push(PositionRun {
                x: input_row + column(out) * plan.images,
                gradient: out_row + out * plan.images,
                len: step * plan.images,
            });
        }
    }
}
