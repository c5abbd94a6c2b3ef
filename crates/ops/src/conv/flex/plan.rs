//! Execution plan of a correlation over a group of images: for each output row its stretches of positions, and for each stretch
//! the kernel taps that read inside the input.
//!
//! The positions of a row are the pixels of all images of a group, with the images of one pixel adjacent, so that feature maps of
//! a few pixels still fill a tile. Wide maps (one image per group) have their columns padded with zeros in memory; for narrow
//! maps padding is skipped, because it would be up to a third of the work. Rows outside the image are always skipped.

use std::ops::Range;

use super::axis::{Axis, AxisTap};

/// Minimum number of output columns for which each image forms its own group.
const WIDE: usize = 12;
/// Images per group of narrow maps.
const GROUP: usize = 8;

/// Number of images that are processed together.
pub(super) fn images_per_group(size_out: usize, images: usize) -> usize {
    if size_out >= WIDE { 1 } else { images.clamp(1, GROUP) }
}

/// Positions of an output row that use the same taps.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    /// First position, in its row of the output.
    pub out: usize,
    /// Distance between neighbouring positions of the stretch in the output, in positions.
    pub out_step: usize,
    /// Distance between the input positions they read, in positions.
    pub in_step: usize,
    pub len: usize,
    pub taps: Range<usize>,
}

/// A kernel tap, relative to a stretch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tap {
    /// The position that the first output of the stretch reads, counted from the first input row.
    pub position: usize,
    /// Index in the kernel, ky · k + kx.
    pub kernel: usize,
}

/// An output row.
#[derive(Clone, Debug)]
pub(super) struct PlanRow {
    pub stretches: Range<usize>,
    /// Input rows that are read; may be empty.
    pub inputs: Range<usize>,
}

/// The order of the work on one group of images.
#[derive(Clone, Debug)]
pub(super) struct ConvPlan {
    /// Number of images in the group.
    pub images: usize,
    /// Zero columns before an input row.
    pub left: usize,
    /// Columns of an image.
    pub columns_in: usize,
    /// Columns of an input row, including zero columns.
    pub columns: usize,
    /// Columns of an output row.
    pub out_columns: usize,
    /// One per output row.
    pub rows: Vec<PlanRow>,
    pub stretches: Vec<Stretch>,
    pub taps: Vec<Tap>,
}

impl ConvPlan {
    /// The plan for `images` images and the axes (y, x) of a `kernel` × `kernel` correlation.
    pub fn new(y: &Axis, x: &Axis, kernel: usize, images: usize) -> Self {
        let padded = images == 1;
        let [left, right] = if padded { x.overhang() } else { [0, 0] };
        let mut plan = Self {
            images,
            left,
            columns_in: x.size_in,
            columns: left + x.size_in + right,
            out_columns: x.size_out,
            rows: Vec::with_capacity(y.size_out),
            stretches: Vec::new(),
            taps: Vec::new(),
        };
        for out_row in 0..y.size_out {
            let (class, index) = (out_row % y.out_stride, out_row / y.out_stride);
            let taps = y.classes[class].iter();
            let inputs: Vec<[usize; 2]> = taps.filter_map(|tap| Some([tap.tap, y.input(index, *tap)?])).collect();
            let first = plan.stretches.len();
            for class in 0..x.out_stride {
                plan.add_class(x, class, kernel, &inputs);
            }
            let rows = inputs.iter().map(|[_, row]| *row);
            plan.rows.push(PlanRow {
                stretches: first..plan.stretches.len(),
                inputs: rows.clone().min().unwrap_or(0)..rows.max().map_or(0, |last| last + 1),
            });
        }
        plan
    }

    /// The layout of rows of images without padding; there are no rows to visit.
    pub fn flat(columns: usize, images: usize) -> Self {
        Self {
            images,
            left: 0,
            columns_in: columns,
            columns,
            out_columns: columns,
            rows: Vec::new(),
            stretches: Vec::new(),
            taps: Vec::new(),
        }
    }

    /// One row of `positions` positions, each of which reads the input at the same position through a single tap.
    pub fn line(positions: usize) -> Self {
        let stretch = Stretch {
            out: 0,
            out_step: 1,
            in_step: 1,
            len: positions,
            taps: 0..1,
        };
        Self {
            rows: vec![PlanRow {
                stretches: 0..1,
                inputs: 0..1,
            }],
            stretches: vec![stretch],
            taps: vec![Tap { position: 0, kernel: 0 }],
            ..Self::flat(positions, 1)
        }
    }

    /// Positions per input row.
    pub fn pitch(&self) -> usize {
        self.columns * self.images
    }

    /// Positions per output row.
    pub fn out_pitch(&self) -> usize {
        self.out_columns * self.images
    }

    /// The input rows that a band of output rows reads.
    pub fn inputs(&self, band: Range<usize>) -> Range<usize> {
        let rows = || self.rows[band.clone()].iter().filter(|row| !row.inputs.is_empty());
        let start = rows().map(|row| row.inputs.start).min().unwrap_or(0);
        start..rows().map(|row| row.inputs.end).max().unwrap_or(start)
    }

    /// Adds the stretches of one class of columns of an output row, which reads the rows `inputs` [ky, row].
    fn add_class(&mut self, x: &Axis, class: usize, kernel: usize, inputs: &[[usize; 2]]) {
        let outputs = x.outputs(class);
        let reached = |index: usize| {
            x.classes[class]
                .iter()
                .filter(move |tap| x.input(index, **tap).is_some())
        };
        let mut start = 0;
        while start < outputs {
            let end = if self.images == 1 {
                outputs
            } else if x.in_stride == 1 && x.out_stride == 1 {
                (start + 1..outputs)
                    .find(|&index| !reached(index).eq(reached(start)))
                    .unwrap_or(outputs)
            } else {
                start + 1
            };
            let taps: Vec<AxisTap> = match self.images {
                1 => x.classes[class].clone(),
                _ => reached(start).copied().collect(),
            };
            self.add_stretch(x, class, start..end, kernel, inputs, &taps);
            start = end;
        }
    }

    fn add_stretch(
        &mut self,
        x: &Axis,
        class: usize,
        outputs: Range<usize>,
        kernel: usize,
        inputs: &[[usize; 2]],
        taps: &[AxisTap],
    ) {
        let first = self.taps.len();
        for [ky, row] in inputs {
            for tap in taps {
                // Never negative: the zero columns extend as far as the taps, and without zero columns every tap is inside the
                // input.
                let column = ((self.left + outputs.start * x.in_stride) as isize + tap.shift) as usize;
                self.taps.push(Tap {
                    position: row * self.pitch() + column * self.images,
                    kernel: ky * kernel + tap.tap,
                });
            }
        }
        let single = self.images == 1;
        self.stretches.push(Stretch {
            out: (class + outputs.start * x.out_stride) * self.images,
            out_step: if single { x.out_stride } else { 1 },
            in_step: if single { x.in_stride } else { 1 },
            len: outputs.len() * self.images,
            taps: first..self.taps.len(),
        });
    }
}
