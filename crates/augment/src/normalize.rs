//! Normalisation of 8-bit pixels to f32 in channel-first order, as by `ToTensor` and `Normalize`.
//!
//! The f32 operations are done in torch's order, so results are bit-identical; vectorised, they are faster than a table
//! of the 256 values. This file must not know where mean and deviation come from.

use serde::{Deserialize, Serialize};

use crate::simd::vectorised;
use crate::{ConfigError, Image8, PlanarImage8};

/// Mean and standard deviation of each channel, for values in [0, 1]: a pixel becomes `(value / 255 - mean) / std`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// Mean of each channel, in units of [0, 1].
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, in units of [0, 1]; above 0. As many values as in `mean`.
    pub std: Vec<f32>,
}

impl Normalization {
    /// ImageNet's statistics for RGB, as every torchvision model expects.
    #[must_use]
    pub fn imagenet() -> Self {
        Self {
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
        }
    }

    /// Mean 0 and deviation 1: pixels become values in [0, 1].
    #[must_use]
    pub fn unit(channels: usize) -> Self {
        Self {
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
        }
    }

    /// Number of channels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// # Errors
    /// [`ConfigError`] when a number is not finite, a deviation is not above 0, or the numbers of means and deviations differ.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.mean.is_empty() || self.mean.len() != self.std.len() {
            return Err(ConfigError::new(
                "normalize",
                format!("{} means and {} deviations", self.mean.len(), self.std.len()),
                "one mean and one standard deviation per channel",
            ));
        }
        if let Some(mean) = self.mean.iter().find(|mean| !mean.is_finite()) {
            return Err(ConfigError::new(
                "normalize.mean",
                mean,
                "finite numbers, for pixels in [0, 1]",
            ));
        }
        if let Some(std) = self.std.iter().find(|std| !(std.is_finite() && **std > 0.0)) {
            return Err(ConfigError::new(
                "normalize.std",
                std,
                "finite numbers above 0, for pixels in [0, 1]",
            ));
        }
        Ok(())
    }

    /// Writes the image as `[channels, height, width]`.
    ///
    /// # Panics
    /// If the image has another number of channels, or `output` another number of values.
    pub fn write_chw(&self, image: &Image8, output: &mut [f32]) {
        match image {
            Image8::Rgb(image) => self.write_planes(&image.into(), output),
            Image8::Planar(image) => self.write_planes(image, output),
        }
    }

    /// [`Normalization::write_chw`] of planes.
    ///
    /// # Panics
    /// As there.
    pub fn write_planes(&self, image: &PlanarImage8, output: &mut [f32]) {
        let (channels, size) = (self.channels(), image.width() * image.height());
        assert_eq!(
            image.channels(),
            channels,
            "channels of the image, and of its normalisation"
        );
        assert_eq!(
            output.len(),
            channels * size,
            "values in the output, and values of [{channels}, {}, {}]",
            image.height(),
            image.width()
        );
        let planes = image.pixels().chunks_exact(size).zip(output.chunks_exact_mut(size));
        for ((plane, output), (mean, std)) in planes.zip(self.mean.iter().zip(&self.std)) {
            normalise(plane, output, *mean, *std);
        }
    }
}

vectorised! {
    fn normalise<'a>(plane: &'a [u8], output: &'a mut [f32], mean: f32, std: f32) {
        for (output, &value) in output.iter_mut().zip(plane) {
            *output = (part_of_255(value) - mean) / std;
        }
    }
}

/// `value / 255.0`, bit-identical for every value, without the division: 1/255 is split into two numbers, of which the
/// first has so few bits that its product is exact, so that only the sum is rounded.
#[inline(always)]
fn part_of_255(value: u8) -> f32 {
    const HIGH: f32 = 32896.0 / 8_388_608.0;
    const LOW: f32 = (1.0 / 255.0 - 32896.0 / 8_388_608.0) as f32;
    f32::from(value) * HIGH + f32::from(value) * LOW
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_255_is_the_quotient_to_the_bit() {
        for value in 0..=255_u8 {
            assert_eq!(
                part_of_255(value).to_bits(),
                (f32::from(value) / 255.0).to_bits(),
                "{value}"
            );
        }
    }

    #[test]
    fn values_are_the_same_with_and_without_vectors() {
        let image = PlanarImage8::new(3, 37, 7, (0..777).map(|k| (k * 89 % 256) as u8).collect());
        let (mut wide, mut narrow) = (vec![0.0; 777], vec![1.0; 777]);
        Normalization::imagenet().write_planes(&image, &mut wide);
        crate::simd::at_baseline(|| Normalization::imagenet().write_planes(&image, &mut narrow));
        assert_eq!(wide, narrow);
        let expected = |k: usize, mean: f32, std: f32| (f32::from(image.pixels()[k]) / 255.0 - mean) / std;
        assert_eq!(wide[0], expected(0, 0.485, 0.229));
        assert_eq!(wide[776], expected(776, 0.406, 0.225));
    }

    #[test]
    fn a_deviation_of_zero_and_a_mean_that_is_no_number_are_refused() {
        let with_std = |std| Normalization {
            mean: vec![0.0; 3],
            std: vec![1.0, std, 1.0],
        };
        assert!(with_std(1e-3).validate().is_ok());
        for std in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(
                with_std(std)
                    .validate()
                    .unwrap_err()
                    .to_string()
                    .starts_with("normalize.std")
            );
        }
        let mean = Normalization {
            mean: vec![f32::NAN, 0.0, 0.0],
            std: vec![1.0; 3],
        };
        assert!(
            mean.validate()
                .unwrap_err()
                .to_string()
                .starts_with("normalize.mean = NaN")
        );
    }

    #[test]
    #[should_panic(expected = "values of [3, 2, 3]")]
    fn an_output_of_another_size_panics_with_the_shape() {
        let image = crate::RgbImage8::from_fn(3, 2, |_, _| [0; 3]);
        Normalization::imagenet().write_chw(&image.into(), &mut [0.0; 17]);
    }
}
