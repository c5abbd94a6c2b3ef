//! Mean and deviation of the channels of a set: the normalisation `"data"`.
//!
//! Sums are whole numbers, so the result is exact and does not depend on the order of the threads. This file must not
//! know what the numbers are used for.

use barlow_augment::{Normalization, RgbImage8};
use rayon::prelude::*;

use crate::{BadImages, DataError, ImageSource};

/// Images looked at together.
const CHUNK: usize = 1024;

/// Mean and standard deviation over all pixels of all images (a large image counts more), in units of [0, 1]. A channel
/// that is the same everywhere gets the deviation 1. One pass, parallel on the current rayon pool.
///
/// # Errors
/// [`DataError`]: the first bad image (by its number) unless they are skipped; no good image at all.
pub fn channel_statistics(source: &dyn ImageSource, bad_images: BadImages) -> Result<Normalization, DataError> {
    let mut total = Sums::default();
    let mut first_bad = None;
    for start in (0..source.len()).step_by(CHUNK) {
        let chunk = start..(start + CHUNK).min(source.len());
        let sums: Vec<Result<Sums, DataError>> = chunk
            .into_par_iter()
            .map(|index| Ok(Sums::of(&*source.image(index)?)))
            .collect();
        for sums in sums {
            match sums {
                Ok(sums) => total.add(&sums),
                Err(error) if bad_images == BadImages::Skip && error.is_bad_image() => {
                    first_bad.get_or_insert_with(|| error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
    }
    if total.pixels == 0 {
        return Err(DataError::AllBad {
            count: source.len(),
            first: first_bad.unwrap_or_default(),
        });
    }
    Ok(total.normalization())
}

#[derive(Default)]
struct Sums {
    pixels: u64,
    values: [u64; 3],
    squares: [u64; 3],
}

impl Sums {
    fn of(image: &RgbImage8) -> Self {
        let mut sums = Self {
            pixels: (image.width() * image.height()) as u64,
            ..Self::default()
        };
        for rgb in image.pixels().chunks_exact(3) {
            for (channel, &value) in rgb.iter().enumerate() {
                sums.values[channel] += u64::from(value);
                sums.squares[channel] += u64::from(value) * u64::from(value);
            }
        }
        sums
    }

    fn add(&mut self, other: &Self) {
        self.pixels += other.pixels;
        for channel in 0..3 {
            self.values[channel] += other.values[channel];
            self.squares[channel] += other.squares[channel];
        }
    }

    fn normalization(&self) -> Normalization {
        let mean = |channel: usize| self.values[channel] as f64 / self.pixels as f64;
        let std = |channel: usize| {
            // n * sum of squares - square of the sum, in whole numbers: nothing cancels, and it is never negative.
            let (n, sum, squares) = (
                u128::from(self.pixels),
                u128::from(self.values[channel]),
                u128::from(self.squares[channel]),
            );
            let deviation = ((n * squares - sum * sum) as f64).sqrt() / self.pixels as f64 / 255.0;
            if deviation > 0.0 { deviation } else { 1.0 }
        };
        Normalization {
            mean: [0, 1, 2].map(|c| (mean(c) / 255.0) as f32),
            std: [0, 1, 2].map(|c| std(c) as f32),
        }
    }
}
