//! Blocks of features: where they lie in the embeddings, their statistics, and their standardised copy in contiguous memory.

use std::ops::Range;

use super::simd::wide;

/// Rows that are summed in 32 bits before the sum goes on in 64.
const RUN: usize = 16;

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

/// How a feature is standardised: ((z − mean) − rest) · inverse_std. `rest` is what rounding the mean to 32 bits left out: with a
/// mean far above the deviation that is much.
#[derive(Clone, Copy, Default)]
pub(super) struct Moments {
    pub mean: f32,
    pub rest: f32,
    pub inverse_std: f32,
}

impl Moments {
    /// As they are kept for the backward pass: [d, 3].
    pub fn store(moments: &[Self]) -> Vec<f32> {
        let triples = moments.iter().map(|m| [m.mean, m.rest, m.inverse_std]);
        triples.flatten().collect()
    }

    /// Those of `features`, from [`store`](Self::store).
    pub fn load(stored: &[f32], features: Range<usize>) -> Vec<Self> {
        let triples = stored[3 * features.start..3 * features.end].chunks_exact(3);
        let moments = triples.map(|m| Self {
            mean: m[0],
            rest: m[1],
            inverse_std: m[2],
        });
        moments.collect()
    }
}

/// Copies `features` of `z` to `out` [n, width], standardised, and returns how.
///
/// The copy comes first: rows of the embeddings lie a power of two apart as a rule, where a cache holds few of them at a time.
pub(super) fn measure(
    layout: Layout,
    z: &[f32],
    features: Range<usize>,
    epsilon: f64,
    out: &mut [f32],
) -> Vec<Moments> {
    let width = features.len();
    let count = layout.n as f64;
    let mut moments = vec![Moments::default(); width];
    let mut sums = Sums::new(width);

    wide(|| {
        for (row, out) in z.chunks_exact(layout.d).zip(out.chunks_exact_mut(width)) {
            let row = &row[features.clone()];
            out.copy_from_slice(row);
            sums.add(|k| row[k]);
        }
    });
    for (moments, sum) in moments.iter_mut().zip(sums.take()) {
        moments.mean = (sum / count) as f32;
    }

    let mut squares = Sums::new(width);
    let mean: Vec<f32> = moments.iter().map(|m| m.mean).collect();
    wide(|| {
        for row in out.chunks_exact_mut(width) {
            row.iter_mut().zip(&mean).for_each(|(x, mean)| *x -= mean);
            sums.add(|k| row[k]);
            squares.add(|k| row[k] * row[k]);
        }
    });
    for (moments, (sum, squares)) in moments.iter_mut().zip(sums.take().into_iter().zip(squares.take())) {
        let rest = sum / count;
        moments.rest = rest as f32;
        moments.inverse_std = (1.0 / (squares / count - rest * rest + epsilon).sqrt()) as f32;
    }

    wide(|| {
        for row in out.chunks_exact_mut(width) {
            for (x, m) in row.iter_mut().zip(&moments) {
                *x = (*x - m.rest) * m.inverse_std;
            }
        }
    });
    moments
}

/// Copies `features` of `z` to `out` [n, width], standardised by known `moments`: the same bytes as [`measure`] gave.
pub(super) fn standardise(layout: Layout, z: &[f32], features: Range<usize>, moments: &[Moments], out: &mut [f32]) {
    wide(|| {
        for (row, out) in z.chunks_exact(layout.d).zip(out.chunks_exact_mut(features.len())) {
            for ((out, x), m) in out.iter_mut().zip(&row[features.clone()]).zip(moments) {
                *out = ((x - m.mean) - m.rest) * m.inverse_std;
            }
        }
    });
}

/// Column sums over rows that are added one by one: f32 over a few rows, f64 beyond.
pub(super) struct Sums {
    run: Vec<f32>,
    total: Vec<f64>,
    rows: usize,
}

impl Sums {
    pub fn new(width: usize) -> Self {
        Self {
            run: vec![0.0; width],
            total: vec![0.0; width],
            rows: 0,
        }
    }

    #[inline(always)]
    pub fn add(&mut self, value: impl Fn(usize) -> f32) {
        self.run.iter_mut().enumerate().for_each(|(k, sum)| *sum += value(k));
        self.rows += 1;
        if self.rows == RUN {
            self.flush();
        }
    }

    #[inline(always)]
    fn flush(&mut self) {
        for (total, run) in self.total.iter_mut().zip(&mut self.run) {
            *total += f64::from(*run);
            *run = 0.0;
        }
        self.rows = 0;
    }

    /// The sums; afterwards they are zero.
    pub fn take(&mut self) -> Vec<f64> {
        self.flush();
        self.total.iter_mut().map(std::mem::take).collect()
    }
}

/// c_ii of a block: the column means of the product of both standardised views, each [n, width].
pub(super) fn diagonal(a: &[f32], b: &[f32], width: usize) -> Vec<f32> {
    let mut sums = Sums::new(width);
    wide(|| {
        for (a, b) in a.chunks_exact(width).zip(b.chunks_exact(width)) {
            sums.add(|k| a[k] * b[k]);
        }
    });
    let count = (a.len() / width) as f64;
    sums.take().into_iter().map(|sum| (sum / count) as f32).collect()
}
