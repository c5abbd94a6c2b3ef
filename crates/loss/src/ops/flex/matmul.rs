//! Matrix product: a safe wrapper of the `gemm` crate with slices and bounds checks.
//!
//! The forms are parallel over blocks of features, so a product uses several threads only if there are fewer blocks than threads.
//! The threads split the output and not the sums, so for a fixed shape the order of the sums is fixed.

use gemm::{Parallelism, gemm};

/// Strides of a matrix in a slice: element (i, j) is at `i · row + j · column`.
#[derive(Clone, Copy)]
pub(super) struct Strides {
    pub row: usize,
    pub column: usize,
}

impl Strides {
    /// Row-major with `width` floats from row to row.
    pub fn rows(width: usize) -> Self {
        Strides { row: width, column: 1 }
    }

    /// Column-major with `height` floats from column to column: the transpose of [`Strides::rows`].
    pub fn columns(height: usize) -> Self {
        Strides { row: 1, column: height }
    }

    fn end(self, rows: usize, columns: usize) -> usize {
        if rows == 0 || columns == 0 {
            0
        } else {
            (rows - 1) * self.row + (columns - 1) * self.column + 1
        }
    }
}

/// out [m, n] = left [m, depth] · right [depth, n], added to `out` if `accumulate`.
///
/// # Panics
/// If a slice is shorter than its matrix.
pub(super) fn multiply(
    [m, n, depth]: [usize; 3],
    out: (&mut [f32], Strides),
    left: (&[f32], Strides),
    right: (&[f32], Strides),
    accumulate: bool,
    threads: Parallelism,
) {
    assert!(
        out.1.end(m, n) <= out.0.len(),
        "product: [{m}, {n}] does not fit {} floats",
        out.0.len()
    );
    assert!(
        left.1.end(m, depth) <= left.0.len(),
        "product: [{m}, {depth}] does not fit {} floats",
        left.0.len()
    );
    assert!(
        right.1.end(depth, n) <= right.0.len(),
        "product: [{depth}, {n}] does not fit {} floats",
        right.0.len()
    );
    // SAFETY: the three matrices are inside their slices (asserted above; strides are non-negative), and `out` is borrowed
    // mutably, so it does not overlap an operand.
    unsafe {
        gemm(
            m,
            n,
            depth,
            out.0.as_mut_ptr(),
            out.1.column as isize,
            out.1.row as isize,
            accumulate,
            left.0.as_ptr(),
            left.1.column as isize,
            left.1.row as isize,
            right.0.as_ptr(),
            right.1.column as isize,
            right.1.row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            threads,
        );
    }
}

/// The number of threads for each of `tasks` concurrent products, so that no thread is idle.
pub(super) fn threads_each(tasks: usize) -> Parallelism {
    match rayon::current_num_threads() / tasks.max(1) {
        0 | 1 => Parallelism::None,
        threads => Parallelism::Rayon(threads),
    }
}
