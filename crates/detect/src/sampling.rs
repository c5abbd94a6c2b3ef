//! Which anchors and proposals train: a fixed number, at most a part of them objects, drawn by key.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::matching::{Label, Match};

/// What a draw is keyed by: two with the same key are the same, whatever else was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawKey {
    /// The run's seed.
    pub seed: u64,
    /// The training step.
    pub step: u64,
    /// The image's number in the batch.
    pub image: u32,
    /// Which of the image's draws: anchors or proposals.
    pub stream: u32,
}

impl DrawKey {
    fn generator(self) -> ChaCha8Rng {
        let mut key = *b"................................";
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..16].copy_from_slice(&self.step.to_le_bytes());
        key[16..20].copy_from_slice(&self.image.to_le_bytes());
        key[20..24].copy_from_slice(&self.stream.to_le_bytes());
        key[24..].copy_from_slice(b"detect:1");
        ChaCha8Rng::from_seed(key)
    }
}

/// A sample of boxes, by their indices, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Boxes that are objects.
    pub objects: Vec<usize>,
    /// Boxes that are background.
    pub background: Vec<usize>,
}

/// Draws `count` boxes, at most ⌊`count` · `most_objects`⌋ of them objects, the rest background; fewer if there are not enough.
pub fn sample(matches: &[Match], count: usize, most_objects: f64, key: DrawKey) -> Sample {
    let of_label = |label: Label| -> Vec<usize> {
        let numbered = matches.iter().enumerate();
        numbered
            .filter(|(_, found)| found.label == label)
            .map(|(at, _)| at)
            .collect()
    };
    let mut generator = key.generator();
    let objects = drawn(
        of_label(Label::Object),
        (count as f64 * most_objects) as usize,
        &mut generator,
    );
    let background = drawn(of_label(Label::Background), count - objects.len(), &mut generator);
    Sample { objects, background }
}

/// `count` of the values, ascending: the beginning of a shuffle.
fn drawn(mut values: Vec<usize>, count: usize, generator: &mut ChaCha8Rng) -> Vec<usize> {
    if count >= values.len() {
        return values;
    }
    for at in 0..count {
        let rest = (values.len() - at) as u64;
        // The multiplication maps 64 random bits to 0..rest; its bias is below 2⁻⁴⁰ for any number of boxes.
        let offset = (u128::from(generator.next_u64()) * u128::from(rest)) >> 64;
        values.swap(at, at + offset as usize);
    }
    values.truncate(count);
    values.sort_unstable();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(objects: usize, background: usize) -> Vec<Match> {
        let of = |label| Match { label, object: 0 };
        let mut matches = vec![of(Label::Ignored); 5];
        matches.extend(vec![of(Label::Object); objects]);
        matches.extend(vec![of(Label::Background); background]);
        matches
    }

    const KEY: DrawKey = DrawKey {
        seed: 1,
        step: 2,
        image: 3,
        stream: 4,
    };

    /// Counts of detectron2's `subsample_labels`.
    #[test]
    fn counts_are_detectron2s() {
        for (count, most, objects, background, expected) in [
            (256, 0.5, 30, 9000, [30, 226]),
            (256, 0.5, 300, 9000, [128, 128]),
            (512, 0.25, 200, 1900, [128, 384]),
            (512, 0.25, 10, 90, [10, 90]),
        ] {
            let matches = matches(objects, background);
            let drawn = sample(&matches, count, most, KEY);
            assert_eq!([drawn.objects.len(), drawn.background.len()], expected);
            assert!(drawn.objects.is_sorted() && drawn.background.is_sorted());
            assert!(drawn.objects.iter().all(|&at| matches[at].label == Label::Object));
            assert!(
                drawn
                    .background
                    .iter()
                    .all(|&at| matches[at].label == Label::Background)
            );
        }
    }

    #[test]
    fn every_part_of_the_key_changes_the_draw() {
        let matches = matches(0, 1000);
        let draw = |key| sample(&matches, 100, 0.5, key);
        assert_eq!(draw(KEY), draw(KEY));
        for other in [
            DrawKey { seed: 9, ..KEY },
            DrawKey { step: 9, ..KEY },
            DrawKey { image: 9, ..KEY },
            DrawKey { stream: 9, ..KEY },
        ] {
            assert_ne!(draw(KEY), draw(other));
        }
    }

    /// Every box is drawn equally often: within five standard deviations of a binomial distribution.
    #[test]
    fn draws_are_uniform() {
        let matches = matches(0, 20);
        let mut counts = [0; 25];
        let draws = 4000;
        for step in 0..draws {
            for at in sample(&matches, 5, 0.0, DrawKey { step, ..KEY }).background {
                counts[at] += 1;
            }
        }
        let deviation = (draws as f64 * 0.25 * 0.75).sqrt();
        assert!(
            counts[5..]
                .iter()
                .all(|&count| (f64::from(count) - 1000.0).abs() < 5.0 * deviation),
            "{counts:?}"
        );
    }
}
