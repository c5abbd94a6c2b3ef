//! Matrix products of slices: a safe wrapper of the `gemm` crate, on one thread. Callers split their work over threads by
//! blocks whose shapes do not depend on the number of threads, so that the order of every sum is fixed.

use gemm::{Parallelism, gemm};
use rayon::prelude::*;

/// A type of numbers that products are computed in.
pub(crate) trait Float: Copy + Default + Send + Sync + 'static {
    const ONE: Self;

    /// Rounds.
    fn of(value: f64) -> Self;

    fn to_f64(self) -> f64;

    /// e to this power.
    fn exp(self) -> Self;

    /// `values` as this type: themselves, or converted into `scratch`.
    fn convert<'a>(values: &'a [f32], scratch: &'a mut Vec<Self>) -> &'a [Self];
}

impl Float for f32 {
    const ONE: f32 = 1.0;

    fn of(value: f64) -> f32 {
        value as f32
    }

    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    fn exp(self) -> f32 {
        self.exp()
    }

    fn convert<'a>(values: &'a [f32], _: &'a mut Vec<f32>) -> &'a [f32] {
        values
    }
}

impl Float for f64 {
    const ONE: f64 = 1.0;

    fn of(value: f64) -> f64 {
        value
    }

    fn to_f64(self) -> f64 {
        self
    }

    fn exp(self) -> f64 {
        self.exp()
    }

    fn convert<'a>(values: &'a [f32], scratch: &'a mut Vec<f64>) -> &'a [f64] {
        values
            .par_iter()
            .with_min_len(1 << 14)
            .map(|&value| f64::from(value))
            .collect_into_vec(scratch);
        scratch
    }
}

/// A matrix in a slice: element (i, j) is at `i · row + j · column`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    pub values: &'a [T],
    pub row: usize,
    pub column: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Row-major, with `stride` values from row to row.
    pub fn rows(values: &'a [T], stride: usize) -> Self {
        Self {
            values,
            row: stride,
            column: 1,
        }
    }

    /// The transpose of [`Self::rows`].
    pub fn columns(values: &'a [T], stride: usize) -> Self {
        Self {
            values,
            row: 1,
            column: stride,
        }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || columns == 0 || (rows - 1) * self.row + (columns - 1) * self.column < self.values.len()
    }
}

/// out `[m, n]`, row-major = left `[m, depth]` · right `[depth, n]`.
///
/// # Panics
///
/// If a slice is shorter than its matrix.
pub(crate) fn multiply<T: Float>([m, n, depth]: [usize; 3], out: &mut [T], left: Matrix<T>, right: Matrix<T>) {
    assert!(
        out.len() >= m * n,
        "product: [{m}, {n}] does not fit {} values",
        out.len()
    );
    assert!(left.holds(m, depth), "product: the left operand is not [{m}, {depth}]");
    assert!(
        right.holds(depth, n),
        "product: the right operand is not [{depth}, {n}]"
    );
    // SAFETY: the three matrices are inside their slices (asserted above; strides are non-negative), and `out` is borrowed
    // mutably, so it does not overlap an operand. It is not read.
    unsafe {
        gemm(
            m,
            n,
            depth,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            left.values.as_ptr(),
            left.column as isize,
            left.row as isize,
            right.values.as_ptr(),
            right.column as isize,
            right.row as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Rows and columns of a tile of a symmetric product.
const TILE: usize = 64;

/// A tile of a symmetric product: the dot products of the vectors from `row` on with those from `column` on.
pub(crate) struct SymmetricTile<'a> {
    pub row: usize,
    pub column: usize,
    /// Vectors from `column` on.
    pub width: usize,
    /// `[.., width]`, row-major.
    pub values: &'a [f64],
}

/// Computes the dot products of all pairs of the vectors `[count, length]`, each pair once: tiles on and below the diagonal.
/// Returns what `visit` makes of every tile, in a fixed order.
pub(crate) fn symmetric_product<R: Send>(
    vectors: &[f64],
    length: usize,
    visit: impl Fn(SymmetricTile) -> R + Sync,
) -> Vec<R> {
    let count = vectors.len() / length.max(1);
    let tiles = count.div_ceil(TILE);
    let pairs: Vec<[usize; 2]> = (0..tiles).flat_map(|i| (0..=i).map(move |j| [i, j])).collect();
    pairs
        .par_iter()
        .map_init(
            || vec![0.0; TILE * TILE],
            |values, &[i, j]| {
                let [row, column] = [i * TILE, j * TILE];
                let [height, width] = [row, column].map(|start| TILE.min(count - start));
                multiply(
                    [height, width, length],
                    values,
                    Matrix::rows(&vectors[row * length..], length),
                    Matrix::columns(&vectors[column * length..], length),
                );
                visit(SymmetricTile {
                    row,
                    column,
                    width,
                    values: &values[..height * width],
                })
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formula(count: usize) -> Vec<f64> {
        (0..count).map(|k| (k as f64 * 0.77).sin()).collect()
    }

    #[test]
    fn products_agree_with_the_definition() {
        let [m, n, depth] = [5, 9, 33];
        let (left, right) = (formula(m * depth), formula(n * depth));
        let mut out = vec![f64::NAN; m * n];
        multiply(
            [m, n, depth],
            &mut out,
            Matrix::rows(&left, depth),
            Matrix::columns(&right, depth),
        );
        for (at, &found) in out.iter().enumerate() {
            let expected: f64 = (0..depth)
                .map(|k| left[at / n * depth + k] * right[at % n * depth + k])
                .sum();
            assert!((found - expected).abs() < 1e-12, "{at}: {found}, not {expected}");
        }
    }

    #[test]
    fn every_pair_is_in_one_tile() {
        let (count, length) = (150, 7);
        let vectors = formula(count * length);
        let tiles = symmetric_product(&vectors, length, |tile| {
            (tile.row, tile.column, tile.width, tile.values.to_vec())
        });
        let mut seen = vec![0; count * count];
        for (row, column, width, values) in tiles {
            for i in 0..values.len() / width {
                for j in 0..width {
                    let (a, b) = (row + i, column + j);
                    let expected: f64 = (0..length)
                        .map(|k| vectors[a * length + k] * vectors[b * length + k])
                        .sum();
                    assert!((values[i * width + j] - expected).abs() < 1e-12);
                    seen[a * count + b] += 1;
                    if row != column {
                        seen[b * count + a] += 1;
                    }
                }
            }
        }
        assert!(seen.iter().all(|&times| times == 1));
    }

    #[test]
    #[should_panic(expected = "the left operand is not [2, 3]")]
    fn a_slice_that_is_too_short_is_refused() {
        let right = formula(6);
        multiply(
            [2, 2, 3],
            &mut [0.0; 4],
            Matrix::rows(&right[..5], 3),
            Matrix::rows(&right, 2),
        );
    }
}
