//! Blocks of features: position in the embeddings, statistics, and standardised copy in contiguous memory.

use std::ops::Range;

use barlow_simd::{Level, vectorised};
use burn_flex::FlexTensor;

use super::sums::ColumnSums;
use super::tensors::tensor;

/// Embeddings [n, d], row-major.
#[derive(Clone, Copy)]
pub(super) struct EmbeddingLayout {
    pub n: usize,
    pub d: usize,
}

impl EmbeddingLayout {
    pub fn of([n, d]: [usize; 2]) -> Self {
        Self { n, d }
    }

    /// The features of block `index`, if each block except the last has `width` features.
    pub fn block(self, index: usize, width: usize) -> Range<usize> {
        index * width..((index + 1) * width).min(self.d)
    }

    /// Splits [n, d] into blocks of features: for each block, its part of every row.
    pub fn cut(self, data: &mut [f32], width: usize) -> Vec<Vec<&mut [f32]>> {
        let mut blocks: Vec<Vec<&mut [f32]>> = Vec::new();
        blocks.resize_with(self.d.div_ceil(width), || Vec::with_capacity(self.n));
        for row in data.chunks_exact_mut(self.d) {
            for (block, part) in blocks.iter_mut().zip(row.chunks_mut(width)) {
                block.push(part);
            }
        }
        blocks
    }
}

/// The parameters of the standardisation ((z − mean) − rest) · inverse_std. `rest` is the rounding error of the f32 mean, which
/// matters if the mean is much larger than the deviation.
#[derive(Default)]
pub(super) struct ColumnMoments {
    mean: Vec<f32>,
    rest: Vec<f32>,
    inverse_std: Vec<f32>,
}

impl ColumnMoments {
    /// Computes the parameters from the rounded mean and the means of z − mean and of its square.
    pub fn new(mean: Vec<f32>, rest: &[f64], square: &[f64], epsilon: f64) -> Self {
        let inverse = |(rest, square): (&f64, &f64)| (1.0 / (square - rest * rest + epsilon).sqrt()) as f32;
        Self {
            mean,
            inverse_std: rest.iter().zip(square).map(inverse).collect(),
            rest: rest.iter().map(|&rest| rest as f32).collect(),
        }
    }

    pub fn borrow(&self) -> MomentsRef<'_> {
        MomentsRef {
            mean: &self.mean,
            rest: &self.rest,
            inverse_std: &self.inverse_std,
        }
    }

    pub fn extend(&mut self, next: Self) {
        self.mean.extend(next.mean);
        self.rest.extend(next.rest);
        self.inverse_std.extend(next.inverse_std);
    }

    /// The tensor [3, d] that is saved for the backward pass.
    pub fn store(self) -> FlexTensor {
        let d = self.mean.len();
        tensor([self.mean, self.rest, self.inverse_std].concat(), [3, d])
    }
}

/// Borrowed [`ColumnMoments`] of some features.
#[derive(Clone, Copy)]
pub(super) struct MomentsRef<'a> {
    mean: &'a [f32],
    rest: &'a [f32],
    pub inverse_std: &'a [f32],
}

impl<'a> MomentsRef<'a> {
    /// The parameters of `features` in a tensor from [`ColumnMoments::store`].
    pub fn load(stored: &'a [f32], features: Range<usize>) -> Self {
        let d = stored.len() / 3;
        let [mean, rest, inverse_std] = [0, 1, 2].map(|row| &stored[row * d..][features.clone()]);
        Self {
            mean,
            rest,
            inverse_std,
        }
    }
}

/// Copies `features` of `z` to `out` [n, width], standardises them there, and returns the parameters.
///
/// The copy comes first because rows of the embeddings are usually a power of two apart, and a cache can hold only few such rows.
pub(super) fn measure(
    layout: EmbeddingLayout,
    z: &[f32],
    features: Range<usize>,
    epsilon: f64,
    out: &mut [f32],
) -> ColumnMoments {
    let width = features.len();
    let (mut sums, mut squares) = (ColumnSums::new(width), ColumnSums::new(width));
    copy(z, layout.d, features, out, &mut sums);
    let mean: Vec<f32> = sums.means(layout.n).map(|mean| mean as f32).collect();
    centre(out, &mean, &mut sums, &mut squares);
    let rest: Vec<f64> = sums.means(layout.n).collect();
    let square: Vec<f64> = squares.means(layout.n).collect();
    let moments = ColumnMoments::new(mean, &rest, &square, epsilon);
    scale(out, &moments.rest, &moments.inverse_std);
    moments
}

/// c_ii of a block: the column means of the product of both standardised views, each [n, width].
pub(super) fn diagonal(a: &[f32], b: &[f32], width: usize) -> Vec<f32> {
    let mut sums = ColumnSums::new(width);
    add_products(a, b, width, &mut sums);
    sums.means(a.len() / width).map(|c| c as f32).collect()
}

vectorised! {
    max: Level::Avx2;

    fn copy<'a>(z: &'a [f32], stride: usize, features: Range<usize>, out: &'a mut [f32], sums: &'a mut ColumnSums) {
        let width = features.len();
        for (row, out) in z.chunks_exact(stride).zip(out.chunks_exact_mut(width)) {
            let row = &row[features.clone()];
            out.copy_from_slice(row);
            sums.add(row);
        }
    }

    fn centre<'a>(block: &'a mut [f32], mean: &'a [f32], sums: &'a mut ColumnSums, squares: &'a mut ColumnSums) {
        for row in block.chunks_exact_mut(mean.len()) {
            row.iter_mut().zip(mean).for_each(|(x, mean)| *x -= mean);
            sums.add(row);
            squares.add_products(row, row);
        }
    }

    fn scale<'a>(block: &'a mut [f32], rest: &'a [f32], inverse_std: &'a [f32]) {
        for row in block.chunks_exact_mut(rest.len()) {
            for ((x, rest), inverse_std) in row.iter_mut().zip(rest).zip(inverse_std) {
                *x = (*x - rest) * inverse_std;
            }
        }
    }

    fn add_products<'a>(a: &'a [f32], b: &'a [f32], width: usize, sums: &'a mut ColumnSums) {
        for (a, b) in a.chunks_exact(width).zip(b.chunks_exact(width)) {
            sums.add_products(a, b);
        }
    }

    /// Copies columns `features` of `z`, `stride` floats per row, to `out` [rows, width], standardised with known `moments`. The
    /// bytes are the same as from [`measure`].
    pub(super) fn standardise<'a>(
        z: &'a [f32],
        stride: usize,
        features: Range<usize>,
        moments: MomentsRef<'a>,
        out: &'a mut [f32],
    ) {
        let width = features.len();
        let MomentsRef { mean, rest, inverse_std } = moments;
        for (row, out) in z.chunks_exact(stride).zip(out.chunks_exact_mut(width)) {
            let row = &row[features.clone()];
            for ((((out, x), mean), rest), inverse_std) in out.iter_mut().zip(row).zip(mean).zip(rest).zip(inverse_std) {
                *out = ((x - mean) - rest) * inverse_std;
            }
        }
    }
}
