//! Sums over the diagonal of C.

use burn_flex::FlexTensor;

use super::tensors::tensor;

/// Σ (1 − c_ii)², Σ c_ii and Σ c_ii² in f64.
#[derive(Clone, Copy, Default)]
pub(super) struct DiagonalSums {
    invariance: f64,
    total: f64,
    pub squares: f64,
}

impl DiagonalSums {
    pub fn of(diagonal: &[f32]) -> Self {
        let mut sums = Self::default();
        for &c in diagonal {
            let c = f64::from(c);
            sums.invariance += (1.0 - c).powi(2);
            sums.total += c;
            sums.squares += c * c;
        }
        sums
    }

    /// The packed sums `[4]`, with Σ_{i≠j} c_ij² = `redundancy`.
    pub fn pack(self, redundancy: f64) -> FlexTensor {
        let sums = [self.invariance, redundancy, self.total, self.squares];
        tensor(sums.map(|sum| sum as f32).to_vec(), [4])
    }
}
