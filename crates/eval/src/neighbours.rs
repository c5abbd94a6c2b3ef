//! The nearest training rows of test rows, found by matrix products and decided exactly.
//!
//! A product in f32 bounds every similarity; only pairs that may be among the nearest are computed again, in f64 and in a fixed
//! order. So the result is that of the definition in f64, whatever the sizes of blocks, the number of threads and the
//! instruction set. Memory is bounded: a block of training rows, and the k nearest of a block of test rows.
//!
//! Features that are all exactly equal are the worst case: every pair is computed again.

use crate::product::{Matrix, multiply};
use crate::rows::{not_finite, read};
use crate::{EvalError, Rows, Set};
use rayon::prelude::*;

/// How alike two rows are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// Their cosine; 0 with a row of zeros.
    #[default]
    Cosine,
    /// −d²/2 of their Euclidean distance d. On rows of length 1 it is the cosine − 1, so votes weigh the same.
    Euclidean,
}

/// A training row with its similarity to a test row. The nearer one is the lesser; in a tie, the earlier one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Neighbour {
    pub similarity: f64,
    pub index: usize,
}

impl Eq for Neighbour {}

impl Ord for Neighbour {
    #[inline]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let farther = other.similarity.total_cmp(&self.similarity);
        farther.then(self.index.cmp(&other.index))
    }
}

impl PartialOrd for Neighbour {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Training rows per product: with the largest block of test rows the similarities are 512 KiB, which fit into the L2 cache.
const TILE: usize = 512;

/// Largest number of test rows per product.
const BLOCK: usize = 256;

/// Largest number of bytes of a block of training rows; small sets of tests have several, too.
const CHUNK_BYTES: usize = if cfg!(test) { 1 << 16 } else { 64 << 20 };

/// Multiplications between two calls of `advance`: about a second of a slow machine.
const CHUNK_WORK: usize = 50_000_000_000;

/// Training rows whose mean is the common shift.
const SHIFT_ROWS: usize = 2048;

/// Values that are tested together before a single one is looked at.
const GROUP: usize = 16;

/// Number of partial sums of an exact product.
const LANES: usize = 16;

/// Bytes that a test row needs while its neighbours are looked for: itself as it is and prepared, those that were found, and
/// those that are pending.
pub(crate) fn bytes_per_query(width: usize, k: usize) -> usize {
    8 * (width + 1) + 64 * k + 2560
}

/// The `k` training rows (all, if there are fewer) with the largest cosine similarity to each row of `queries`, nearest first: their
/// numbers and similarities.
///
/// # Errors
///
/// If a row cannot be read, or a feature is not finite.
///
/// # Panics
///
/// If the queries are not rows of the same width.
pub fn nearest_rows(train: &dyn Rows, queries: &[f32], k: usize) -> Result<Vec<Vec<(usize, f64)>>, EvalError> {
    assert!(
        queries.len().is_multiple_of(train.width()),
        "queries are rows of {} features",
        train.width()
    );
    let found = nearest(train, queries, 0, Metric::Cosine, k.min(train.len()), |_| Ok(()))?;
    let pair = |neighbour: Neighbour| (neighbour.index, neighbour.similarity);
    Ok(found
        .into_iter()
        .map(|row| row.into_iter().map(pair).collect())
        .collect())
}

/// The `k` nearest rows of `train` (all, if there are fewer) for every row of `queries`, nearest first. `start` is the number
/// of the first query, for errors; `advance` is called with every number of training rows that has been compared.
pub(crate) fn nearest(
    train: &dyn Rows,
    queries: &[f32],
    start: usize,
    metric: Metric,
    k: usize,
    mut advance: impl FnMut(usize) -> Result<(), EvalError>,
) -> Result<Vec<Vec<Neighbour>>, EvalError> {
    let width = train.width();
    let count = queries.len() / width;
    let depth = width + 1;
    let affordable = (CHUNK_BYTES / (4 * depth)).min(CHUNK_WORK / (count * depth).max(1));
    let chunk = (affordable / TILE * TILE).max(TILE);
    let block = count
        .div_ceil(4 * rayon::current_num_threads())
        .next_multiple_of(16)
        .min(BLOCK);

    let mut found: Vec<Found> = (0..count).map(|_| Found::default()).collect();
    // Differences of similarities do not change with the origin; near the features, products round less.
    let mut shift = vec![0.0; width];
    let mut scratch = Vec::new();
    let mut prepared_queries = Prepared::default();
    let mut neighbours = Prepared::default();
    for first in (0..train.len()).step_by(chunk) {
        let rows = first..train.len().min(first + chunk);
        let raw = read(train, Set::Training, rows.clone(), &mut scratch)?;
        if first == 0 {
            shift = mean(metric, &raw[..raw.len().min(SHIFT_ROWS * width)], width);
            prepared_queries.fill(metric, queries, &shift, Side::Test);
            prepared_queries.check(Set::Test, start, queries, width)?;
        }
        neighbours.fill(metric, raw, &shift, Side::Training);
        neighbours.check(Set::Training, first, raw, width)?;
        let search = Search {
            metric,
            k,
            width,
            depth,
            first,
            raw,
            neighbours: &neighbours,
            longest: neighbours.sizes.iter().fold(0.0, |most, size| size.span.max(most)),
            largest: neighbours
                .sizes
                .iter()
                .fold(0.0, |most, size| size.offset.abs().max(most)),
        };
        found
            .par_chunks_mut(block)
            .zip(queries.par_chunks(block * width))
            .zip(prepared_queries.values.par_chunks(block * depth))
            .zip(prepared_queries.sizes.par_chunks(block))
            .for_each_init(
                || vec![0.0; BLOCK * TILE],
                |scores, (((found, raw), values), sizes)| search.block(found, raw, values, sizes, scores),
            );
        advance(rows.len())?;
    }
    let sorted = found.into_par_iter().map(|mut found| {
        found.nearest.sort_unstable();
        found.nearest
    });
    Ok(sorted.collect())
}

/// Mean of rows, each of length 1 for the cosine, in f32: any point near them serves.
fn mean(metric: Metric, rows: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; width];
    for row in rows.chunks_exact(width) {
        let scale = 1.0 / length(metric, row);
        sums.iter_mut()
            .zip(row)
            .for_each(|(sum, &x)| *sum += f64::from(x) * scale);
    }
    let count = (rows.len() / width) as f64;
    // Not finite if the features are not; that is reported by `check`.
    sums.iter().map(|sum| (sum / count) as f32).collect()
}

/// What a row is divided by before it is compared.
fn length(metric: Metric, row: &[f32]) -> f64 {
    match metric {
        // A row of zeros stays zero, as in `torch.nn.functional.normalize`. `f64::max` would hide a NaN.
        Metric::Cosine => match squares(row).sqrt() {
            tiny if tiny < 1e-12 => 1e-12,
            length => length,
        },
        Metric::Euclidean => 1.0,
    }
}

/// The operands of a product.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Test,
    Training,
}

/// Rows as the operands of products. With x and y the rows, of length 1 for the cosine, less a common shift c, a product is
/// x·y plus the offset of y: c·y for the cosine, −|y|²/2 for the distance. It is the similarity less the offset of x.
#[derive(Default)]
struct Prepared {
    /// Shifted rows, each with one more value: 1 on the test side, the offset on the training side. Training rows are transposed,
    /// tile by tile, as the product wants them.
    values: Vec<f32>,
    sizes: Vec<Size>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Size {
    /// What the row was divided by.
    length: f64,
    /// Length of the shifted row.
    span: f64,
    /// What the row alone adds to a similarity.
    offset: f64,
}

impl Prepared {
    fn fill(&mut self, metric: Metric, raw: &[f32], shift: &[f32], side: Side) {
        let width = shift.len();
        let depth = width + 1;
        let count = raw.len() / width;
        self.values.resize(count * depth, 0.0);
        self.sizes.resize(count, Size::default());
        let tiles = raw
            .par_chunks(TILE * width)
            .zip(self.values.par_chunks_mut(TILE * depth))
            .zip(self.sizes.par_chunks_mut(TILE));
        tiles.for_each(|((raw, values), sizes)| {
            let count = sizes.len();
            let mut prepared = vec![0.0; depth];
            for (at, (raw, size)) in raw.chunks_exact(width).zip(sizes).enumerate() {
                *size = prepare(metric, raw, shift, side, &mut prepared);
                match side {
                    Side::Test => values[at * depth..(at + 1) * depth].copy_from_slice(&prepared),
                    Side::Training => {
                        let column = values[at..].iter_mut().step_by(count);
                        column.zip(&prepared).for_each(|(to, &value)| *to = value);
                    }
                }
            }
        });
    }

    /// Refuses NaN and infinity: squares of finite f32 values do not overflow in f64.
    fn check(&self, set: Set, start: usize, raw: &[f32], width: usize) -> Result<(), EvalError> {
        if self
            .sizes
            .iter()
            .all(|size| size.length.is_finite() && size.span.is_finite())
        {
            return Ok(());
        }
        // Shifted values may overflow although all features are finite.
        not_finite(set, start, raw, width).map_or(Ok(()), Err)
    }
}

/// One row as an operand.
fn prepare(metric: Metric, raw: &[f32], shift: &[f32], side: Side, values: &mut [f32]) -> Size {
    let length = length(metric, raw);
    let scale = 1.0 / length;
    let (values, last) = values.split_at_mut(raw.len());
    let shifted = values.iter_mut().zip(raw).zip(shift);
    shifted.for_each(|((value, &x), &shift)| *value = (f64::from(x) * scale - f64::from(shift)) as f32);
    let square = squares(values);
    let offset = match metric {
        Metric::Euclidean => -0.5 * square,
        // Of the values before they were rounded: the shift is much longer than the shifted row.
        Metric::Cosine => {
            let both = match side {
                Side::Test => squares(shift),
                Side::Training => 0.0,
            };
            let terms = raw.iter().zip(shift).map(|(&x, &shift)| {
                let shift = f64::from(shift);
                (f64::from(x) * scale - shift) * shift
            });
            terms.sum::<f64>() + both
        }
    };
    last[0] = match side {
        Side::Test => 1.0,
        Side::Training => offset as f32,
    };
    Size {
        length,
        span: square.sqrt(),
        offset,
    }
}

/// What was found for a test row.
#[derive(Default)]
struct Found {
    /// At most k of the rows so far; all that may be among the k nearest are here or pending. In no order.
    nearest: Vec<Neighbour>,
    /// Rows of the current chunk with their products.
    pending: Vec<(f32, u32)>,
}

/// Test rows against a chunk of training rows.
struct Search<'a> {
    metric: Metric,
    k: usize,
    width: usize,
    depth: usize,
    /// Number of the first row of the chunk.
    first: usize,
    raw: &'a [f32],
    neighbours: &'a Prepared,
    /// The largest span of the chunk's rows.
    longest: f64,
    /// The largest magnitude of their offsets.
    largest: f64,
}

impl Search<'_> {
    /// Updates what was found for a block of test rows.
    fn block(&self, found: &mut [Found], raw: &[f32], values: &[f32], sizes: &[Size], scores: &mut [f32]) {
        let mut bars: Vec<f32> = found
            .iter()
            .zip(sizes)
            .map(|(found, &size)| self.bar(found, size))
            .collect();
        for start in (0..self.neighbours.sizes.len()).step_by(TILE) {
            let tile = TILE.min(self.neighbours.sizes.len() - start);
            let scores = &mut scores[..found.len() * tile];
            multiply(
                [found.len(), tile, self.depth],
                scores,
                Matrix::rows(values, self.depth),
                Matrix::rows(&self.neighbours.values[start * self.depth..], tile),
            );
            let queries = found
                .iter_mut()
                .zip(raw.chunks_exact(self.width))
                .zip(sizes)
                .zip(&mut bars);
            for ((((found, raw), &size), bar), scores) in queries.zip(scores.chunks_exact(tile)) {
                self.scan(found, raw, size, bar, start, scores);
            }
        }
        for ((found, raw), &size) in found.iter_mut().zip(raw.chunks_exact(self.width)).zip(sizes) {
            self.decide(found, raw, size);
        }
    }

    /// Looks for neighbours of one test row among those of a tile.
    fn scan(&self, found: &mut Found, query: &[f32], size: Size, bar: &mut f32, start: usize, scores: &[f32]) {
        for (group, scores) in scores.chunks(GROUP).enumerate() {
            if !scores.iter().fold(false, |any, &score| any | passes(score, *bar)) {
                continue;
            }
            for (at, &score) in scores.iter().enumerate() {
                if passes(score, *bar) {
                    let row = start + group * GROUP + at;
                    found.pending.push((score, row as u32));
                }
            }
            if found.pending.len() >= 2 * self.k + 64 {
                *bar = self.compact(found, query, size, *bar);
            }
        }
    }

    /// Drops pending rows that others of them exceed for certain, and returns the new bar.
    fn compact(&self, found: &mut Found, query: &[f32], size: Size, bar: f32) -> f32 {
        let pending = &mut found.pending;
        // Products that overflowed say nothing about the others.
        if pending.iter().all(|(score, _)| score.is_finite()) {
            let (_, (score, _), _) = pending.select_nth_unstable_by(self.k - 1, |a, b| b.0.total_cmp(&a.0));
            // k rows have at least this product, so at least this similarity less the rounding; another row needs a product that
            // is higher by the rounding.
            let other = (f64::from(*score) - 2.0 * self.rounding(size)) as f32;
            let bar = bar.max(other.next_down());
            pending.retain(|&(score, _)| passes(score, bar));
            if pending.len() < self.k + self.k / 2 + 48 {
                return bar;
            }
        }
        // Too many are too close to each other.
        self.decide(found, query, size);
        self.bar(found, size).max(bar)
    }

    /// Compares the pending rows exactly.
    fn decide(&self, found: &mut Found, query: &[f32], size: Size) {
        let candidates = found.pending.drain(..).map(|(_, row)| Neighbour {
            similarity: self.similarity(query, size, row as usize),
            index: self.first + row as usize,
        });
        found.nearest.extend(candidates);
        if found.nearest.len() > self.k {
            found.nearest.select_nth_unstable(self.k - 1);
            found.nearest.truncate(self.k);
        }
    }

    /// A product below this cannot belong to a neighbour that is still wanted: the similarity of the farthest one found, less the
    /// rounding.
    fn bar(&self, found: &Found, size: Size) -> f32 {
        if found.nearest.len() < self.k {
            return f32::NEG_INFINITY;
        }
        let farthest = found
            .nearest
            .iter()
            .fold(f64::INFINITY, |most, n| n.similarity.min(most));
        // Every cosine with a row of zeros is 0: the first ones remain the nearest.
        if self.metric == Metric::Cosine && size.length <= 1e-12 && farthest == 0.0 {
            return f32::INFINITY;
        }
        ((farthest - size.offset - self.rounding(size)) as f32).next_down()
    }

    /// A bound of the rounding of a product with a test row of this size (Higham, Accuracy and Stability of Numerical Algorithms,
    /// section 3.1: of n terms, in any order, at most n units of rounding times the sum of the terms' magnitudes), and of the exact
    /// similarities themselves.
    fn rounding(&self, size: Size) -> f64 {
        let terms = 1.1 * (self.width + 16) as f64;
        let magnitudes = size.span * self.longest + self.largest;
        let (in_f32, in_f64) = match self.metric {
            Metric::Cosine => (magnitudes, 4.0),
            Metric::Euclidean => (magnitudes + size.offset.abs(), 0.0),
        };
        terms * (f64::from(f32::EPSILON) / 2.0 * in_f32 + f64::EPSILON * in_f64 + f64::from(f32::MIN_POSITIVE))
    }

    fn similarity(&self, query: &[f32], size: Size, row: usize) -> f64 {
        let other = &self.raw[row * self.width..(row + 1) * self.width];
        let similarity = match self.metric {
            Metric::Cosine => products(query, other) / (size.length * self.neighbours.sizes[row].length),
            Metric::Euclidean => -0.5 * squared_distance(query, other),
        };
        // Without negative zero, which would be farther than zero.
        similarity + 0.0
    }
}

/// Whether a product may belong to a neighbour. One that overflowed, or with a bound that did, may.
#[inline(always)]
fn passes(score: f32, bar: f32) -> bool {
    !((score < bar) & (score > f32::NEG_INFINITY))
}

fn squares(row: &[f32]) -> f64 {
    products(row, row)
}

barlow_simd::vectorised! {
    /// Sum of the products of pairs of values, in an order that depends on their number alone.
    fn products<'a>(a: &'a [f32], b: &'a [f32]) -> f64 {
        lanes(a, b, |a, b| a * b)
    }

    /// Sum of the squared differences of pairs of values, in an order that depends on their number alone.
    fn squared_distance<'a>(a: &'a [f32], b: &'a [f32]) -> f64 {
        lanes(a, b, |a, b| (a - b) * (a - b))
    }
}

#[inline(always)]
fn lanes(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sums = [0.0f64; LANES];
    let ((chunks_a, rest_a), (chunks_b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in chunks_a.iter().zip(chunks_b) {
        for lane in 0..LANES {
            sums[lane] += term(f64::from(a[lane]), f64::from(b[lane]));
        }
    }
    let mut total = 0.0;
    for (&a, &b) in rest_a.iter().zip(rest_b) {
        total += term(f64::from(a), f64::from(b));
    }
    for sum in sums {
        total += sum;
    }
    total
}
