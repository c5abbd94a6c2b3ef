//! Softmax of rows, and its gradient.

use barlow_simd::vectorised;

use super::exponential::exponential;
use super::rows::sum;

vectorised! {
    /// Replaces each row by its softmax.
    pub(super) fn forward<'a>(rows: &'a mut [f32], width: usize) {
        for row in rows.chunks_exact_mut(width) {
            let largest = row.iter().fold(f32::NEG_INFINITY, |most, &x| if x > most { x } else { most });
            for x in row.iter_mut() {
                *x = exponential(*x - largest);
            }
            let inverse = (1.0 / sum(row, row, |x, _| x)) as f32;
            for x in row.iter_mut() {
                *x *= inverse;
            }
        }
    }

    /// Replaces the gradients of the rows of a softmax y by those of its operand.
    pub(super) fn backward<'a>(gradients: &'a mut [f32], y: &'a [f32], width: usize) {
        for (row, y) in gradients.chunks_exact_mut(width).zip(y.chunks_exact(width)) {
            let along = sum(row, y, |dy, y| dy * y) as f32;
            for (dy, &y) in row.iter_mut().zip(y) {
                *dy = y * (*dy - along);
            }
        }
    }
}
