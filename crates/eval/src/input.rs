//! What a linear classifier sees: the rows of a source, transformed, block by block.

use crate::rows::{not_finite, read};
use crate::{EvalError, Rows, Set};
use rayon::prelude::*;
use std::ops::Range;

/// What is done to every row before it is classified.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Transform {
    /// Nothing.
    None,
    /// (x − mean) / deviation.
    Standardise {
        /// Of every feature.
        mean: Vec<f64>,
        /// Of every feature.
        deviation: Vec<f64>,
    },
    /// x / (|x| + 1e-5), as in VISSL.
    Length,
}

/// Transformed rows, rounded to f32.
pub(crate) struct Input<'a> {
    rows: &'a dyn Rows,
    set: Set,
    transform: Transform,
    /// All transformed rows, if they fit into the memory that is allowed.
    cache: Option<Vec<f32>>,
}

/// Memory for a block of rows.
#[derive(Default)]
pub(crate) struct BlockScratch {
    raw: Vec<f32>,
    transformed: Vec<f32>,
}

/// Values of a block of rows, and of their scores: 32 MiB each.
const BLOCK_VALUES: usize = 8 << 20;

/// Blocks are a multiple of this.
pub(crate) const STRIP: usize = 256;

impl<'a> Input<'a> {
    /// The rows are copied if their copy takes at most `memory` bytes; otherwise they are transformed again whenever they are read.
    pub fn new(rows: &'a dyn Rows, set: Set, transform: Transform, memory: u64) -> Result<Self, EvalError> {
        let mut input = Self {
            rows,
            set,
            transform,
            cache: None,
        };
        let values = rows.len().saturating_mul(rows.width());
        if 4 * values as u64 <= memory {
            let mut cache = Vec::with_capacity(values);
            let mut scratch = BlockScratch::default();
            for range in input.blocks(1) {
                cache.extend_from_slice(input.block(range, &mut scratch)?);
            }
            input.cache = Some(cache);
        }
        Ok(input)
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn width(&self) -> usize {
        self.rows.width()
    }

    pub fn labels(&self) -> &[usize] {
        self.rows.labels()
    }

    /// Blocks of rows in their order, small enough for `columns` scores each. They depend on the sizes alone.
    pub fn blocks(&self, columns: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let count = self.len();
        let rows = BLOCK_VALUES / self.width().max(columns) / STRIP * STRIP;
        let rows = rows.max(STRIP);
        (0..count)
            .step_by(rows)
            .map(move |start| start..count.min(start + rows))
    }

    /// The rows of a block, `[range.len(), width]`.
    pub fn block<'b>(&'b self, range: Range<usize>, scratch: &'b mut BlockScratch) -> Result<&'b [f32], EvalError> {
        let width = self.width();
        if let Some(cache) = &self.cache {
            return Ok(&cache[range.start * width..range.end * width]);
        }
        let start = range.start;
        let raw = read(self.rows, self.set, range, &mut scratch.raw)?;
        if let Some(error) = not_finite(self.set, start, raw, width) {
            return Err(error);
        }
        if self.transform == Transform::None {
            return Ok(raw);
        }
        scratch.transformed.resize(raw.len(), 0.0);
        raw.par_chunks(width)
            .zip(scratch.transformed.par_chunks_mut(width))
            .with_min_len(16)
            .for_each(|(raw, row)| self.transform.apply(raw, row));
        Ok(&scratch.transformed)
    }
}

impl Transform {
    fn apply(&self, raw: &[f32], row: &mut [f32]) {
        match self {
            Self::None => row.copy_from_slice(raw),
            Self::Standardise { mean, deviation } => {
                let features = row.iter_mut().zip(raw).zip(mean).zip(deviation);
                features.for_each(|(((to, &x), mean), deviation)| *to = ((f64::from(x) - mean) / deviation) as f32);
            }
            Self::Length => {
                let length = raw.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt() + 1e-5;
                row.iter_mut()
                    .zip(raw)
                    .for_each(|(to, &x)| *to = (f64::from(x) / length) as f32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Features;

    /// Rows and scores of a block are at most 32 MiB each, except for a strip of very wide rows.
    #[test]
    fn blocks_are_bounded_and_cover_every_row_once() {
        let labels = vec![0; 1_000_000];
        for (width, columns, rows) in [
            (2048, 1000, 4096),
            (512, 100, 16384),
            (10, 8142, 1024),
            (100_000, 2, 256),
        ] {
            let source = Features {
                rows: &[],
                width,
                labels: &labels,
                classes: 1,
            };
            let input = Input::new(&source, Set::Training, Transform::Length, 1 << 20).unwrap();
            let mut end = 0;
            for block in input.blocks(columns) {
                assert_eq!(block.start, end);
                assert!(block.len() == rows || block.end == labels.len());
                end = block.end;
            }
            assert_eq!(end, labels.len());
        }
    }
}
