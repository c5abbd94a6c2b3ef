//! The shuffle of an epoch: a permutation keyed by `(seed, epoch)`.
//!
//! This file must not depend on how the permutation is used.

use barlow_augment::{SHUFFLE_STREAM, keyed_rng};
use rand::RngExt;

/// The numbers `0..len` in a random order (Fisher-Yates) that depends on `seed` and `epoch` alone.
#[must_use]
pub fn shuffled_indices(len: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut rng = keyed_rng(seed, epoch, 0, SHUFFLE_STREAM);
    let mut indices: Vec<usize> = (0..len).collect();
    for last in (1..len).rev() {
        // u64 and not usize: the same draws on every machine.
        indices.swap(last, rng.random_range(0..=last as u64) as usize);
    }
    indices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_permutation_that_depends_on_seed_and_epoch() {
        let order = shuffled_indices(100, 3, 5);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(order, shuffled_indices(100, 3, 5));
        for (seed, epoch) in [(3, 6), (4, 5), (5, 3)] {
            assert_ne!(order, shuffled_indices(100, seed, epoch));
        }
        assert_eq!(shuffled_indices(0, 0, 0), Vec::<usize>::new());
        assert_eq!(shuffled_indices(1, 0, 0), [0]);
    }

    /// A checkpoint of an older version must resume with the same images: these numbers never change.
    #[test]
    fn the_order_is_the_one_of_every_version() {
        assert_eq!(shuffled_indices(10, 3, 5), [7, 1, 4, 6, 0, 9, 5, 3, 2, 8]);
        let order = shuffled_indices(100_000, 42, 7);
        assert_eq!(order[..5], [17_205, 84_788, 9_098, 94_832, 84_813]);
        assert_eq!(order[99_995..], [49_479, 3_225, 91_124, 75_396, 23_609]);
    }

    /// Each of the 24 orders of 4 comes up 1000 times in 24,000; 160 is five standard deviations.
    #[test]
    fn every_order_is_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for epoch in 0..24_000 {
            *counts.entry(shuffled_indices(4, 1, epoch)).or_insert(0_i32) += 1;
        }
        assert_eq!(counts.len(), 24);
        assert!(counts.values().all(|count| (count - 1000).abs() < 160), "{counts:?}");
    }
}
