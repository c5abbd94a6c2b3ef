//! Packing of a task's input: copies it to scratch memory with adjacent channels.

use std::ops::Range;

use barlow_simd::Level;

use super::blocked::{BlockSize, to_blocks};
use super::plan::ConvPlan;

/// Channels per block of the packed input: the floats of a cache line.
pub(super) const BLOCK: usize = 16;

/// Layout of the packed rows of a group of images: [block of channels][row][column][image][channel of the block].
pub(super) struct Packing<'a> {
    pub level: Level,
    pub plan: &'a ConvPlan,
    /// Channels per block.
    pub block: usize,
    /// Rows to pack.
    pub rows: Range<usize>,
    /// Rows per image.
    pub height: usize,
}

impl Packing<'_> {
    pub fn block_floats(&self) -> usize {
        self.rows.len() * self.plan.pitch() * self.block
    }

    pub fn floats(&self, channels: usize) -> usize {
        channels.div_ceil(self.block) * self.block_floats()
    }

    /// Packs the channels `range` (of `channels`) of some images of `x` [N, channels, H, W].
    pub fn pack(&self, x: &[f32], images: Range<usize>, channels: usize, range: Range<usize>, packed: &mut [f32]) {
        let Self {
            level,
            plan,
            block,
            rows,
            height,
        } = self;
        let (block, height) = (*block, *height);
        if rows.is_empty() {
            return;
        }
        let together = plan.images;
        let columns = plan.columns_in;
        let plane = height * columns;
        for (packed, first) in packed
            .chunks_exact_mut(self.block_floats())
            .zip(range.clone().step_by(block))
        {
            let count = block.min(range.end - first);
            if columns < plan.columns {
                for row in packed.chunks_exact_mut(plan.pitch() * block) {
                    row[..plan.left * block].fill(0.0);
                    row[(plan.left + columns) * block..].fill(0.0);
                }
            }
            let size = |pixels| BlockSize {
                channels: count,
                pixels,
            };
            for (index, image) in images.clone().enumerate() {
                let source = &x[((image * channels + first) * height + rows.start) * columns..];
                let step = together * block;
                if columns == plan.columns {
                    to_blocks(
                        *level,
                        source,
                        plane,
                        size(rows.len() * columns),
                        &mut packed[index * block..],
                        step,
                        channels * plane,
                    );
                    continue;
                }
                for row in 0..rows.len() {
                    let to = &mut packed[(row * plan.columns + plan.left) * step + index * block..];
                    to_blocks(
                        *level,
                        &source[row * columns..],
                        plane,
                        size(columns),
                        to,
                        step,
                        columns,
                    );
                }
            }
        }
    }
}
