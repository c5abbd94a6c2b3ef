//! Blocks of features: where they lie in the embeddings, their statistics, and their standardised copy in contiguous memory.

use std::ops::Range;

use burn_flex::FlexTensor;

use super::sums::Sums;
use super::tensor;
use super::wide::wide;

/// Embeddings [n, d], row-major.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub n: usize,
    pub d: usize,
}

impl Layout {
    pub fn of([n, d]: [usize; 2]) -> Self {
        Self { n, d }
    }

    /// Features of block `index` when each has `width` of them but the last.
    pub fn block(self, index: usize, width: usize) -> Range<usize> {
        index * width..((index + 1) * width).min(self.d)
    }

    /// Cuts [n, d] by blocks of features: for each block, its part of every row.
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

/// How features are standardised: ((z − mean) − rest) · inverse_std. `rest` is what rounding the mean to 32 bits left out: with a
/// mean far above the deviation that is much.
#[derive(Default)]
pub(super) struct Moments {
    mean: Vec<f32>,
    rest: Vec<f32>,
    inverse_std: Vec<f32>,
}

impl Moments {
    /// From the rounded mean, and the means of z − mean and of its square.
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

    /// As they are kept for the backward pass: [3, d].
    pub fn store(self) -> FlexTensor {
        let d = self.mean.len();
        tensor([self.mean, self.rest, self.inverse_std].concat(), [3, d])
    }
}

/// Borrowed [`Moments`] of some features.
#[derive(Clone, Copy)]
pub(super) struct MomentsRef<'a> {
    mean: &'a [f32],
    rest: &'a [f32],
    pub inverse_std: &'a [f32],
}

impl<'a> MomentsRef<'a> {
    /// Those of `features`, from [`Moments::store`].
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

/// Copies `features` of `z` to `out` [n, width], standardised, and returns how.
///
/// The copy comes first: rows of the embeddings lie a power of two apart as a rule, where a cache holds few of them at a time.
pub(super) fn measure(layout: Layout, z: &[f32], features: Range<usize>, epsilon: f64, out: &mut [f32]) -> Moments {
    let width = features.len();
    let (mut sums, mut squares) = (Sums::new(width), Sums::new(width));
    copy(z, layout.d, features, out, &mut sums);
    let mean: Vec<f32> = sums.means(layout.n).map(|mean| mean as f32).collect();
    centre(out, &mean, &mut sums, &mut squares);
    let rest: Vec<f64> = sums.means(layout.n).collect();
    let square: Vec<f64> = squares.means(layout.n).collect();
    let moments = Moments::new(mean, &rest, &square, epsilon);
    scale(out, &moments.rest, &moments.inverse_std);
    moments
}

/// c_ii of a block: the column means of the product of both standardised views, each [n, width].
pub(super) fn diagonal(a: &[f32], b: &[f32], width: usize) -> Vec<f32> {
    let mut sums = Sums::new(width);
    add_products(a, b, width, &mut sums);
    sums.means(a.len() / width).map(|c| c as f32).collect()
}

wide! {
    fn copy(z: &[f32], stride: usize, features: Range<usize>, out: &mut [f32], sums: &mut Sums) {
        let width = features.len();
        for (row, out) in z.chunks_exact(stride).zip(out.chunks_exact_mut(width)) {
            let row = &row[features.clone()];
            out.copy_from_slice(row);
            sums.add(row);
        }
    }

    fn centre(block: &mut [f32], mean: &[f32], sums: &mut Sums, squares: &mut Sums) {
        for row in block.chunks_exact_mut(mean.len()) {
            row.iter_mut().zip(mean).for_each(|(x, mean)| *x -= mean);
            sums.add(row);
            squares.add_products(row, row);
        }
    }

    fn scale(block: &mut [f32], rest: &[f32], inverse_std: &[f32]) {
        for row in block.chunks_exact_mut(rest.len()) {
            for ((x, rest), inverse_std) in row.iter_mut().zip(rest).zip(inverse_std) {
                *x = (*x - rest) * inverse_std;
            }
        }
    }

    fn add_products(a: &[f32], b: &[f32], width: usize, sums: &mut Sums) {
        for (a, b) in a.chunks_exact(width).zip(b.chunks_exact(width)) {
            sums.add_products(a, b);
        }
    }

    /// Copies columns `features` of `z`, `stride` floats a row, to `out` [rows, width], standardised by known `moments`: the same bytes
    /// as [`measure`] gave.
    pub(super) fn standardise(
        z: &[f32],
        stride: usize,
        features: Range<usize>,
        moments: MomentsRef<'_>,
        out: &mut [f32],
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
