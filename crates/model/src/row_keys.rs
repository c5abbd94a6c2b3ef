//! Keys of the random draws of a forward pass, one for each image.
//!
//! Drop path and the like must give the same values when a forward pass is repeated, in micro-batches or after a resumed run. So
//! there is no generator with a state: a draw depends on (seed, step, view, row, stream) alone.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::ops::Range;

/// Keys of the rows of a forward pass: those of its first view, then those of the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowKeys {
    seed: u64,
    step: u64,
    views: Vec<usize>,
    rows: Range<usize>,
}

impl RowKeys {
    /// Keys of the images `rows` of a batch in each of `views`, at `step` of a run with `seed`. A micro-batch has the rows that its
    /// images have in the whole batch.
    pub fn new(seed: u64, step: u64, views: &[usize], rows: Range<usize>) -> Self {
        Self {
            seed,
            step,
            views: views.to_vec(),
            rows,
        }
    }

    /// Number of rows of the pass.
    pub fn count(&self) -> usize {
        self.views.len() * self.rows.len()
    }

    /// A number in [0, 1) for each row, a multiple of 2⁻³². Draws of different `stream`s are independent.
    pub fn draws(&self, stream: u64) -> Vec<f64> {
        let rows = self
            .views
            .iter()
            .flat_map(|&view| self.rows.clone().map(move |row| (view, row)));
        rows.map(|(view, row)| {
            let mut key = [0; 32];
            let place = ((view as u64) << 40) | row as u64;
            for (part, value) in key.chunks_exact_mut(8).zip([self.seed, self.step, place, stream]) {
                part.copy_from_slice(&value.to_le_bytes());
            }
            f64::from(ChaCha8Rng::from_seed(key).next_u32()) / 2f64.powi(32)
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_its_key_alone() {
        let whole = RowKeys::new(7, 3, &[0, 2], 0..8);
        let draws = whole.draws(5);
        assert_eq!(draws.len(), whole.count());
        // Micro-batches draw the numbers of their rows.
        for start in [0, 4] {
            let part = RowKeys::new(7, 3, &[2], start..start + 4).draws(5);
            assert_eq!(part, draws[8 + start..12 + start]);
        }
        for other in [
            RowKeys::new(8, 3, &[0, 2], 0..8).draws(5),
            RowKeys::new(7, 4, &[0, 2], 0..8).draws(5),
            RowKeys::new(7, 3, &[1, 3], 0..8).draws(5),
            RowKeys::new(7, 3, &[0, 2], 8..16).draws(5),
            whole.draws(6),
        ] {
            assert!(draws.iter().zip(&other).all(|(a, b)| a != b));
        }
    }

    #[test]
    fn draws_are_uniform() {
        let draws = RowKeys::new(1, 0, &[0], 0..100_000).draws(0);
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        for below in [0.1, 0.5, 0.9] {
            let share = draws.iter().filter(|&&draw| draw < below).count() as f64 / draws.len() as f64;
            // Five standard errors.
            assert!(
                (share - below).abs() < 5.0 * (below * (1.0 - below) / 1e5).sqrt(),
                "{share} below {below}"
            );
        }
    }
}
