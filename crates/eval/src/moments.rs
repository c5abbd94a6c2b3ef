//! Mean and standard deviation of every feature, in one pass.

use crate::progress::{Control, Progress, Stage, report};
use crate::rows::{not_finite, read};
use crate::{EvalError, Rows, Set};
use rayon::prelude::*;

/// Rows that are summed by one thread. Their sums are merged in order.
const STRIP: usize = 512;
/// Strips that are read at once.
const STRIPS: usize = 32;

/// Mean, and standard deviation (n − 1) plus 1e-6, of every feature over the rows that `included` accepts.
pub(crate) fn moments(
    rows: &dyn Rows,
    set: Set,
    included: impl Fn(usize) -> bool + Sync,
    control: &mut Control,
) -> Result<(Vec<f64>, Vec<f64>), EvalError> {
    let width = rows.width();
    let mut total = Moments::new(width);
    let mut scratch = Vec::new();
    for start in (0..rows.len()).step_by(STRIP * STRIPS) {
        let end = rows.len().min(start + STRIP * STRIPS);
        let block = read(rows, set, start..end, &mut scratch)?;
        if let Some(error) = not_finite(set, start, block, width) {
            return Err(error);
        }
        let strips: Vec<Moments> = block
            .par_chunks(STRIP * width)
            .enumerate()
            .map(|(strip, block)| Moments::of(block, width, |row| included(start + strip * STRIP + row)))
            .collect();
        strips.iter().for_each(|strip| total.merge(strip));
        report(
            control,
            Progress {
                stage: Stage::Reading,
                done: end,
                total: rows.len(),
                objective: None,
            },
        )?;
    }
    // The deviation of a single row is 0, not 0 / 0.
    let freedom = (total.count - 1.0).max(1.0);
    let deviation = |squares: &f64| (squares / freedom).sqrt() + 1e-6;
    Ok((total.mean, total.squares.iter().map(deviation).collect()))
}

/// Of some rows: their number, the mean, and the sum of the squared differences from it.
struct Moments {
    count: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    fn new(width: usize) -> Self {
        Self {
            count: 0.0,
            mean: vec![0.0; width],
            squares: vec![0.0; width],
        }
    }

    fn of(block: &[f32], width: usize, included: impl Fn(usize) -> bool) -> Self {
        let mut moments = Self::new(width);
        let rows = || block.chunks_exact(width).enumerate().filter(|(row, _)| included(*row));
        for (_, row) in rows() {
            moments.count += 1.0;
            moments
                .mean
                .iter_mut()
                .zip(row)
                .for_each(|(sum, &x)| *sum += f64::from(x));
        }
        let count = moments.count.max(1.0);
        moments.mean.iter_mut().for_each(|mean| *mean /= count);
        for (_, row) in rows() {
            let features = moments.squares.iter_mut().zip(row).zip(&moments.mean);
            features.for_each(|((sum, &x), mean)| *sum += (f64::from(x) - mean).powi(2));
        }
        moments
    }

    /// The moments of both sets of rows (Chan, Golub and LeVeque, 1979).
    fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if count == 0.0 {
            return;
        }
        let share = other.count / count;
        for feature in 0..self.mean.len() {
            let difference = other.mean[feature] - self.mean[feature];
            self.mean[feature] += difference * share;
            self.squares[feature] += other.squares[feature] + difference * difference * self.count * share;
        }
        self.count = count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Features, unattended};

    #[test]
    fn merged_strips_have_the_moments_of_all_rows() {
        let (count, width) = (1700, 3);
        let value = |k: usize| 1e3 * (k % width) as f64 + (k as f64 * 0.7).sin() + (k / width) as f64 * 1e-3;
        let rows: Vec<f32> = (0..count * width).map(|k| value(k) as f32).collect();
        let labels = vec![0; count];
        let features = Features {
            rows: &rows,
            width,
            labels: &labels,
            classes: 1,
        };
        for every in [1, 3] {
            let included = |row: usize| row.is_multiple_of(every);
            let (mean, deviation) = moments(&features, Set::Training, included, &mut unattended).unwrap();
            for feature in 0..width {
                let column: Vec<f64> = (0..count)
                    .filter(|&row| included(row))
                    .map(|row| f64::from(rows[row * width + feature]))
                    .collect();
                let n = column.len() as f64;
                let expected = column.iter().sum::<f64>() / n;
                let squares: f64 = column.iter().map(|x| (x - expected).powi(2)).sum();
                assert!((mean[feature] - expected).abs() < 1e-9);
                assert!((deviation[feature] - 1e-6 - (squares / (n - 1.0)).sqrt()).abs() < 1e-9);
            }
        }
    }
}
