//! Collapse measures: how many directions of the feature space are used. They drop when a network collapses, long
//! before an accuracy is measured.

use crate::product::symmetric_product;
use rayon::prelude::*;

/// Maximum number of rows that are evaluated: the measures hardly change with more, and the cost grows quadratically.
const MAX_ROWS: usize = 2048;
/// A feature is dead if its standard deviation is below this fraction of the largest one.
const DEAD: f64 = 1e-4;

/// Collapse measures of a set of features.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Collapse {
    /// Participation ratio (Σλ)² / Σλ² over the eigenvalues λ of the covariance of the features: from 1 (all rows on a line) to
    /// min(N, width) (all directions have the same variance). 0 if nothing varies.
    pub effective_rank: f64,
    /// Standard deviation over the images, averaged over the features.
    pub spread: f64,
    /// Number of features that do not vary.
    pub dead: usize,
    /// Number of features.
    pub width: usize,
}

impl Collapse {
    /// Whether more than half of the features are dead. A low rank alone is not a collapse: many runs, including the default
    /// recipe's, begin with a plateau where it is near 1.
    pub fn is_total(&self) -> bool {
        2 * self.dead > self.width
    }

    /// Measures the features `[N, width]`, row-major. `effective_rank` and `spread` are NaN if any feature is non-finite.
    ///
    /// # Panics
    ///
    /// If `rows` is empty, or its length is not a multiple of `width`.
    pub fn of(rows: &[f32], width: usize) -> Self {
        let rows = spread_rows(rows, width, MAX_ROWS);
        let count = rows.len() as f64;
        let mut means = vec![0.0; width];
        for row in &rows {
            means.iter_mut().zip(*row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        means.iter_mut().for_each(|mean| *mean /= count);
        let mut variances = vec![0.0; width];
        for row in &rows {
            let columns = variances.iter_mut().zip(*row).zip(&means);
            columns.for_each(|((sum, &x), mean)| *sum += (f64::from(x) - mean).powi(2));
        }
        variances.iter_mut().for_each(|variance| *variance /= count);
        let deviations: Vec<f64> = variances.iter().map(|variance| variance.sqrt()).collect();
        let largest = deviations.iter().fold(0.0f64, |most, &deviation| most.max(deviation));
        let trace: f64 = variances.iter().sum();
        Self {
            effective_rank: if trace == 0.0 {
                0.0
            } else {
                trace * trace / squared_eigenvalues(&rows, &means)
            },
            spread: deviations.iter().sum::<f64>() / width as f64,
            dead: deviations
                .iter()
                .filter(|&&deviation| deviation <= DEAD * largest)
                .count(),
            width,
        }
    }
}

/// At most `most` of the rows `[N, width]`, evenly spaced: images are often sorted by class.
///
/// # Panics
///
/// If `rows` is empty, or its length is not a multiple of `width`.
pub fn spread_rows(rows: &[f32], width: usize, most: usize) -> Vec<&[f32]> {
    assert!(
        width > 0 && !rows.is_empty() && rows.len().is_multiple_of(width),
        "{} values are not one or more rows of {width}",
        rows.len()
    );
    let all = rows.len() / width;
    let count = all.min(most);
    let row = |index: usize| &rows[index * all / count * width..][..width];
    (0..count).map(row).collect()
}

/// Σλ² of the covariance XᵀX / N, where X are the centred rows. It equals the sum of the squared entries of XᵀX / N, and of
/// XXᵀ / N: the smaller of the two is computed.
fn squared_eigenvalues(rows: &[&[f32]], means: &[f64]) -> f64 {
    let (count, width) = (rows.len(), means.len());
    let centred = |row: &[f32], column: usize| f64::from(row[column]) - means[column];
    let (shorter, length) = if count <= width { (count, width) } else { (width, count) };
    let mut vectors = vec![0.0; shorter * length];
    vectors.par_chunks_mut(length).enumerate().for_each(|(at, vector)| {
        for (other, value) in vector.iter_mut().enumerate() {
            let (row, column) = if count <= width { (at, other) } else { (other, at) };
            *value = centred(rows[row], column);
        }
    });
    // Products are symmetric: each tile beside the diagonal counts twice.
    let sums = symmetric_product(&vectors, length, |tile| {
        let squares: f64 = tile.values.iter().map(|value| value * value).sum();
        if tile.row == tile.column {
            squares
        } else {
            2.0 * squares
        }
    });
    sums.iter().sum::<f64>() / (count * count) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> Vec<f32> {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn equally_used_directions_are_all_counted() {
        // Corners of a cube: uncorrelated, with equal variance.
        let corners: Vec<f32> = (0..8)
            .flat_map(|i: u8| [0, 1, 2].map(|bit| f32::from(i >> bit & 1)))
            .collect();
        let collapse = Collapse::of(&corners, 3);
        assert!((collapse.effective_rank - 3.0).abs() < 1e-12, "{collapse:?}");
        assert_eq!((collapse.spread, collapse.dead), (0.5, 0));
    }

    #[test]
    fn a_line_is_one_direction_and_a_constant_none() {
        let line: Vec<f32> = (0..50).flat_map(|i| [i as f32, 3.0 - 2.0 * i as f32, 7.0]).collect();
        let collapse = Collapse::of(&line, 3);
        assert!((collapse.effective_rank - 1.0).abs() < 1e-9, "{collapse:?}");
        assert_eq!((collapse.dead, collapse.is_total()), (1, false));
        let collapse = Collapse::of(&[2.0; 12], 3);
        assert_eq!((collapse.effective_rank, collapse.spread, collapse.dead), (0.0, 0.0, 3));
        assert!(collapse.is_total());
    }

    #[test]
    fn a_non_finite_feature_gives_nan() {
        for value in [f32::NAN, f32::INFINITY] {
            let collapse = Collapse::of(&[1.0, 2.0, value, 4.0, 5.0, 7.0], 2);
            assert!(
                collapse.effective_rank.is_nan() && collapse.spread.is_nan(),
                "{collapse:?}"
            );
        }
    }

    #[test]
    fn a_sample_of_the_rows_is_evenly_spaced() {
        let rows: Vec<f32> = (0..10).flat_map(|i| [i as f32, 0.5]).collect();
        let first = |rows: Vec<&[f32]>| rows.iter().map(|row| row[0]).collect::<Vec<_>>();
        assert_eq!(first(spread_rows(&rows, 2, 4)), [0.0, 2.0, 5.0, 7.0]);
        assert_eq!(first(spread_rows(&rows, 2, 20)).len(), 10);
    }

    /// Σλ² by the definition: every entry of the covariance, squared; sums in the order of the images.
    fn by_definition(rows: &[f32], width: usize) -> f64 {
        let count = rows.len() / width;
        let mean = |value: &dyn Fn(usize) -> f64| (0..count).map(value).sum::<f64>() / count as f64;
        let at = |row: usize, column: usize| f64::from(rows[row * width + column]);
        let means: Vec<f64> = (0..width).map(|column| mean(&|row| at(row, column))).collect();
        let entry = |a: usize, b: usize| mean(&|row| (at(row, a) - means[a]) * (at(row, b) - means[b]));
        (0..width * width).map(|k| entry(k / width, k % width).powi(2)).sum()
    }

    /// More images than features (XᵀX), fewer (XXᵀ), and equally many; lengths that are and are not multiples of the lanes.
    #[test]
    fn both_products_agree_with_the_definition() {
        for (count, width) in [(40, 7), (7, 40), (12, 12), (64, 33), (33, 64), (131, 61), (61, 131)] {
            let rows = noise(count * width);
            let expected = by_definition(&rows, width);
            let rows = spread_rows(&rows, width, count);
            let mean = |column: usize| rows.iter().map(|row| f64::from(row[column])).sum::<f64>() / count as f64;
            let means: Vec<f64> = (0..width).map(mean).collect();
            let found = squared_eigenvalues(&rows, &means);
            assert!(
                (found - expected).abs() < 1e-12 * expected,
                "{count} x {width}: {found}, not {expected}"
            );
        }
    }

    #[test]
    fn the_result_does_not_depend_on_the_number_of_threads() {
        for (count, width) in [(203, 57), (57, 203)] {
            let rows = noise(count * width);
            let with_threads = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| Collapse::of(&rows, width))
            };
            let single = with_threads(1);
            assert_eq!(single, with_threads(2));
            assert_eq!(single, with_threads(5));
        }
    }
}
