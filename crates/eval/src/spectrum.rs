//! Spectrum of embeddings: the eigenvalues of their correlation matrix, which the loss drives towards equality.

use crate::collapse::spread_rows;
use crate::product::symmetric_product;

/// Maximum number of rows that are evaluated: the eigenvalues of a matrix of this size cost less than the forward pass of the
/// images.
const MAX_ROWS: usize = 256;
/// Maximum number of eigenvalues that are returned.
const MAX_VALUES: usize = 32;
/// Maximum number of Jacobi sweeps; half as many already converge to rounding precision.
const SWEEPS: usize = 16;

/// The 32 largest eigenvalues of the correlation matrix of embeddings `[N, width]`, each as a fraction of the sum of all
/// eigenvalues, in descending order. If all directions have the same variance, each is 1 / min(width, 255); if all embeddings
/// lie on a line, the first is 1.
///
/// At most 256 evenly spaced rows are evaluated. Constant features count as zeros. The result is empty if all features are
/// constant, or if one is non-finite.
///
/// # Panics
///
/// If `rows` is empty, or its length is not a multiple of `width`.
pub fn spectrum(rows: &[f32], width: usize) -> Vec<f64> {
    let rows = spread_rows(rows, width, MAX_ROWS);
    let count = rows.len();
    let mut columns: Vec<Vec<f64>> = (0..width)
        .map(|column| rows.iter().map(|row| f64::from(row[column])).collect())
        .collect();
    for column in &mut columns {
        let mean = column.iter().sum::<f64>() / count as f64;
        column.iter_mut().for_each(|value| *value -= mean);
        let length = column.iter().map(|value| value * value).sum::<f64>().sqrt();
        // The remainder of a constant feature is rounding error, not variance.
        let scale = if length > 1e-6 * mean.abs() { 1.0 / length } else { 0.0 };
        column.iter_mut().for_each(|value| *value *= scale);
    }
    // ZᵀZ and ZZᵀ have the same non-zero eigenvalues: the smaller one is computed.
    let (vectors, length) = if width <= count {
        (columns.concat(), count)
    } else {
        let rows = (0..count).flat_map(|row| columns.iter().map(move |column| column[row]));
        (rows.collect(), width)
    };
    let mut values = eigenvalues(products(&vectors, length));
    let total: f64 = values.iter().sum();
    if !(total.is_finite() && total > 0.0) {
        return Vec::new();
    }
    values.sort_by(|a, b| b.total_cmp(a));
    values.truncate(MAX_VALUES);
    values.iter().map(|value| value.max(0.0) / total).collect()
}

/// The matrix of the dot products of the vectors `[count, length]`.
fn products(vectors: &[f64], length: usize) -> Vec<Vec<f64>> {
    let count = vectors.len() / length;
    let mut matrix = vec![vec![0.0; count]; count];
    let tiles = symmetric_product(vectors, length, |tile| {
        (tile.row, tile.column, tile.width, tile.values.to_vec())
    });
    for (row, column, width, values) in tiles {
        for (i, values) in values.chunks_exact(width).enumerate() {
            for (j, &value) in values.iter().enumerate() {
                let (a, b) = (row + i, column + j);
                // A tile on the diagonal has both halves.
                if b <= a {
                    (matrix[a][b], matrix[b][a]) = (value, value);
                }
            }
        }
    }
    matrix
}

/// Eigenvalues of a symmetric matrix, by cyclic Jacobi rotations.
fn eigenvalues(mut a: Vec<Vec<f64>>) -> Vec<f64> {
    let n = a.len();
    for _ in 0..SWEEPS {
        let off: f64 = (0..n).flat_map(|i| &a[i][..i]).map(|value| value * value).sum();
        let on: f64 = (0..n).map(|i| a[i][i] * a[i][i]).sum();
        if off <= 1e-24 * on || !off.is_finite() {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q] == 0.0 {
                    continue;
                }
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cos = 1.0 / t.hypot(1.0);
                let sin = t * cos;
                for row in &mut a {
                    let (x, y) = (row[p], row[q]);
                    (row[p], row[q]) = (cos * x - sin * y, sin * x + cos * y);
                }
                let [row_p, row_q] = a.get_disjoint_mut([p, q]).expect("two rows");
                for (x, y) in row_p.iter_mut().zip(row_q) {
                    (*x, *y) = (cos * *x - sin * *y, sin * *x + cos * *y);
                }
            }
        }
    }
    (0..n).map(|i| a[i][i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= tolerance, "{found} not {expected}");
        }
    }

    /// The matrix of second differences has the eigenvalues 2 − 2 cos(kπ / (n + 1)).
    #[test]
    fn eigenvalues_of_a_known_matrix() {
        let n = 24;
        let entry = |i: usize, j: usize| match i.abs_diff(j) {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        };
        let mut found = eigenvalues((0..n).map(|i| (0..n).map(|j| entry(i, j)).collect()).collect());
        found.sort_by(f64::total_cmp);
        let expected: Vec<f64> = (1..=n)
            .map(|k| 2.0 - 2.0 * (k as f64 * std::f64::consts::PI / (n + 1) as f64).cos())
            .collect();
        close(&found, &expected, 1e-12);
    }

    #[test]
    fn independent_directions_have_equal_eigenvalues_and_a_line_has_one() {
        let corners: Vec<f32> = (0..8)
            .flat_map(|i: u8| [0u8, 1, 2].map(|bit| f32::from(i >> bit & 1) * (1.0 + f32::from(bit))))
            .collect();
        close(&spectrum(&corners, 3), &[1.0 / 3.0; 3], 1e-12);
        // The constant feature contributes nothing.
        let line: Vec<f32> = (0..50).flat_map(|i| [i as f32, 3.0 - 2.0 * i as f32, 7.0]).collect();
        close(&spectrum(&line, 3), &[1.0, 0.0, 0.0], 1e-12);
        assert!(spectrum(&[2.0; 12], 3).is_empty(), "nothing varies");
        assert!(spectrum(&[f32::NAN, 1.0, 2.0, 3.0], 2).is_empty(), "not finite");
    }

    /// A pair with correlation r has the eigenvalues 1 + r and 1 − r. With more features than images, ZZᵀ is computed.
    #[test]
    fn both_products_have_the_same_eigenvalues() {
        let pair: Vec<f32> = [[1.0f32, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]
            .into_iter()
            .flat_map(|[x, y]| [x, 0.6 * x + 0.8 * y])
            .collect();
        close(&spectrum(&pair, 2), &[0.8, 0.2], 1e-7);
        // Each feature four times: the same fractions, and zeros.
        let wide: Vec<f32> = pair.chunks_exact(2).flat_map(|row| [row; 4].concat()).collect();
        close(&spectrum(&wide, 8), &[0.8, 0.2, 0.0, 0.0], 1e-7);
    }
}
