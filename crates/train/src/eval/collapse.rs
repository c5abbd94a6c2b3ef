//! How much of their space features use: the numbers that fall when a network collapses, long before an accuracy is measured.

use rayon::prelude::*;

/// Rows that are looked at: more would cost more than they tell.
const MOST_ROWS: usize = 2048;
/// A feature is dead whose deviation is below this part of the largest one.
const DEAD: f64 = 1e-4;

/// How much of their space features use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Collapse {
    /// (Σλ)² / Σλ² over the eigenvalues λ of the features' covariance, the participation ratio: between 1, where all lie on a line,
    /// and the lesser of their number and width, where all directions are used alike. 0 where nothing varies.
    pub effective_rank: f64,
    /// Mean over the features of their standard deviation over the images.
    pub spread: f64,
    /// Features that do not vary.
    pub dead: usize,
    /// Features in all.
    pub width: usize,
}

impl Collapse {
    /// Whether most features tell nothing any more. A low rank alone does not: on the plateau that many runs begin with, the default
    /// recipe's among them, it is near 1 for a while.
    pub fn is_total(&self) -> bool {
        2 * self.dead > self.width
    }

    /// Of features `[N, width]`, row by row. Not a number where one of them is none.
    ///
    /// # Panics
    /// If there are no rows, or they are not whole.
    pub fn of(rows: &[f32], width: usize) -> Self {
        let rows = spread_rows(rows, width, MOST_ROWS);
        let count = rows.len();
        let mean = |column: usize| rows.iter().map(|row| f64::from(row[column])).sum::<f64>() / count as f64;
        let means: Vec<f64> = (0..width).map(mean).collect();
        let centred =
            |row: &[f32]| -> Vec<f64> { row.iter().zip(&means).map(|(x, mean)| f64::from(*x) - mean).collect() };
        let centred: Vec<Vec<f64>> = rows.into_iter().map(centred).collect();
        let variances: Vec<f64> = (0..width)
            .map(|column| centred.iter().map(|row| row[column] * row[column]).sum::<f64>() / count as f64)
            .collect();
        let deviations: Vec<f64> = variances.iter().map(|variance| variance.sqrt()).collect();
        let largest = deviations.iter().fold(0.0f64, |most, &deviation| most.max(deviation));
        let trace: f64 = variances.iter().sum();
        Self {
            effective_rank: if trace == 0.0 {
                0.0
            } else {
                trace * trace / squares(centred)
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

/// At most so many rows, spread evenly over all: images often lie in the order of their classes.
///
/// # Panics
/// If there are no rows, or they are not whole.
pub fn spread_rows(rows: &[f32], width: usize, most: usize) -> Vec<&[f32]> {
    assert!(
        width > 0 && !rows.is_empty() && rows.len().is_multiple_of(width),
        "{} values are no rows of {width}",
        rows.len()
    );
    let all = rows.len() / width;
    let count = all.min(most);
    let row = |index: usize| &rows[index * all / count * width..][..width];
    (0..count).map(row).collect()
}

/// Σλ² of XᵀX / N, which is the sum of squares of that matrix and of XXᵀ / N: of the smaller one.
fn squares(rows: Vec<Vec<f64>>) -> f64 {
    let (count, width) = (rows.len(), rows[0].len());
    let vectors = if count <= width {
        rows
    } else {
        (0..width)
            .map(|column| rows.iter().map(|row| row[column]).collect())
            .collect()
    };
    let products = |a: &Vec<f64>| -> f64 {
        let product = |b: &Vec<f64>| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
        vectors.iter().map(|b| product(b) * product(b)).sum()
    };
    // Each in its place, so that the sum has one order.
    let sums: Vec<f64> = vectors.par_iter().map(products).collect();
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
    fn directions_that_are_used_alike_are_all_counted() {
        // Corners of a cube: uncorrelated, of one variance.
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
    fn a_part_of_many_rows_is_spread_over_them() {
        let rows: Vec<f32> = (0..10).flat_map(|i| [i as f32, 0.5]).collect();
        let first = |rows: Vec<&[f32]>| rows.iter().map(|row| row[0]).collect::<Vec<_>>();
        assert_eq!(first(spread_rows(&rows, 2, 4)), [0.0, 2.0, 5.0, 7.0]);
        assert_eq!(first(spread_rows(&rows, 2, 20)).len(), 10);
    }

    /// Against the definition: more images than features, and fewer.
    #[test]
    fn both_ways_to_the_squares_are_one() {
        for (count, width) in [(40, 7), (7, 40), (12, 12)] {
            let rows = noise(count * width);
            let covariance = |a: usize, b: usize| {
                let column = |c: usize| (0..count).map(move |n| f64::from(rows_at(n * width + c)));
                fn mean(values: impl Iterator<Item = f64>, count: usize) -> f64 {
                    values.sum::<f64>() / count as f64
                }
                let (mean_a, mean_b) = (mean(column(a), count), mean(column(b), count));
                mean(
                    column(a).zip(column(b)).map(|(x, y)| (x - mean_a) * (y - mean_b)),
                    count,
                )
            };
            fn rows_at(index: usize) -> f32 {
                noise(index + 1)[index]
            }
            let trace: f64 = (0..width).map(|c| covariance(c, c)).sum();
            let squares: f64 = (0..width)
                .flat_map(|a| (0..width).map(move |b| (a, b)))
                .map(|(a, b)| covariance(a, b).powi(2))
                .sum();
            let found = Collapse::of(&rows, width).effective_rank;
            let expected = trace * trace / squares;
            assert!(
                (found - expected).abs() < 1e-9 * expected,
                "{count} x {width}: {found}, not {expected}"
            );
        }
    }
}
