//! Keyed random number generators: one independent stream for every `(seed, epoch, index, stream)`.
//!
//! Why here: the views are the largest consumer of randomness, and `data` keys its shuffles the same way. There is no
//! global generator anywhere; this file must not keep state between calls.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The generator of one key. The four words *are* the 32-byte ChaCha key (little-endian, in this order), so two
/// different keys are two different streams by the cipher's construction, without a hash in between.
#[must_use]
pub fn keyed_rng(seed: u64, epoch: u64, index: u64, stream: u64) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip([seed, epoch, index, stream]) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// Stream of an epoch's shuffle in [`keyed_rng`] (with index 0). No view draws from it.
pub const SHUFFLE_STREAM: u64 = 2;

/// The generator of a view. Its stream is its number among all views, skipping [`SHUFFLE_STREAM`]: 0, 1, 3, 4, ...
pub(crate) fn view_rng(seed: u64, epoch: u64, index: u64, view: usize) -> ChaCha8Rng {
    let view = view as u64;
    keyed_rng(seed, epoch, index, view + u64::from(view >= SHUFFLE_STREAM))
}

/// One draw from `U[low, high)`; `low` itself where the two are equal.
pub(crate) fn uniform(rng: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    low + rng.random::<f64>() * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_key_changes_the_stream() {
        let first = |key: [u64; 4]| keyed_rng(key[0], key[1], key[2], key[3]).random::<u64>();
        let base = [3, 1, 4, 1];
        assert_eq!(first(base), first(base));
        for word in 0..4 {
            let mut other = base;
            other[word] += 1;
            assert_ne!(first(base), first(other), "word {word} is ignored");
        }
        // Words must not be added up or mixed: moving a unit from one word to another gives another key.
        assert_ne!(first([1, 0, 0, 0]), first([0, 1, 0, 0]));
    }

    #[test]
    fn the_streams_of_the_first_two_views_are_fixed_and_no_view_has_that_of_the_shuffles() {
        let view = |view| view_rng(3, 1, 0, view).random::<u64>();
        let stream = |stream| keyed_rng(3, 1, 0, stream).random::<u64>();
        assert_eq!([0, 1, 2, 3, 7].map(view), [0, 1, 3, 4, 8].map(stream));
        assert!((0..100).all(|number| view(number) != stream(SHUFFLE_STREAM)));
    }

    #[test]
    fn uniform_stays_in_its_range_and_fills_it() {
        let mut rng = keyed_rng(0, 0, 0, 0);
        let draws: Vec<f64> = (0..2000).map(|_| uniform(&mut rng, 0.1, 2.0)).collect();
        assert!(draws.iter().all(|x| (0.1..2.0).contains(x)));
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        assert!((mean - 1.05).abs() < 0.05, "mean {mean}");
        assert_eq!(uniform(&mut rng, 0.7, 0.7), 0.7);
    }
}
