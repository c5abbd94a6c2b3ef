//! Channel statistics of a set, mean and standard deviation: the normalisation `"data"`.
//!
//! Sums are integers, so the result is exact and does not depend on the order of the threads. This file must not know
//! what the numbers are used for.

use barlow_augment::{Image8, Normalization};
use rayon::prelude::*;

use crate::{BadImages, DataError, ImageSource};

/// Images that are processed together.
const CHUNK: usize = 1024;

/// Mean and standard deviation over all pixels of all images (a large image counts more), in units of [0, 1]. A channel
/// that is constant gets the deviation 1. One pass, in parallel on the current rayon pool.
///
/// # Errors
/// [`DataError`]: the first bad image (by its number) unless they are skipped; no good image at all.
pub fn channel_statistics(source: &dyn ImageSource, bad_images: BadImages) -> Result<Normalization, DataError> {
    let mut total = Sums::of_none(source.channels());
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

struct Sums {
    pixels: u64,
    /// For each channel: the sum of the values, and of their squares.
    channels: Vec<(u64, u64)>,
}

impl Sums {
    fn of_none(channels: usize) -> Self {
        Self {
            pixels: 0,
            channels: vec![(0, 0); channels],
        }
    }

    fn of(image: &Image8) -> Self {
        let mut sums = Self::of_none(image.channels());
        sums.pixels = (image.width() * image.height()) as u64;
        let add = |(sum, squares): &mut (u64, u64), value: u8| {
            *sum += u64::from(value);
            *squares += u64::from(value) * u64::from(value);
        };
        match image {
            Image8::Rgb(image) => {
                for rgb in image.pixels().chunks_exact(3) {
                    sums.channels
                        .iter_mut()
                        .zip(rgb)
                        .for_each(|(sums, &value)| add(sums, value));
                }
            }
            Image8::Planar(image) => {
                for (channel, sums) in sums.channels.iter_mut().enumerate() {
                    image.plane(channel).iter().for_each(|&value| add(sums, value));
                }
            }
        }
        sums
    }

    fn add(&mut self, other: &Self) {
        assert_eq!(
            self.channels.len(),
            other.channels.len(),
            "channels of the set, and of one of its images"
        );
        self.pixels += other.pixels;
        for (total, more) in self.channels.iter_mut().zip(&other.channels) {
            *total = (total.0 + more.0, total.1 + more.1);
        }
    }

    fn normalization(&self) -> Normalization {
        let mean = |&(sum, _): &(u64, u64)| (sum as f64 / self.pixels as f64 / 255.0) as f32;
        let std = |&(sum, squares): &(u64, u64)| {
            // n * sum of squares - square of the sum, in integers: no cancellation, and never negative.
            let (n, sum, squares) = (u128::from(self.pixels), u128::from(sum), u128::from(squares));
            let deviation = ((n * squares - sum * sum) as f64).sqrt() / self.pixels as f64 / 255.0;
            (if deviation > 0.0 { deviation } else { 1.0 }) as f32
        };
        Normalization {
            mean: self.channels.iter().map(mean).collect(),
            std: self.channels.iter().map(std).collect(),
        }
    }
}
