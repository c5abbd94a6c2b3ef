//! 8-bit pixels -> normalised f32 in channel-first order, as `ToTensor` and `Normalize` give them.
//!
//! Why a table: a channel has only 256 values, so each is computed once in torch's order of f32 operations and the
//! result is equal to the bit. This file must not know where mean and deviation come from.

use serde::{Deserialize, Serialize};

use crate::{ConfigError, Image8, PlanarImage8};

/// Mean and standard deviation of each channel, for values in [0, 1]: a pixel becomes `(value / 255 - mean) / std`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// Mean of each channel, in units of [0, 1].
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, in units of [0, 1]; above 0. As many as means.
    pub std: Vec<f32>,
}

impl Normalization {
    /// ImageNet's, for RGB, as every torchvision model expects.
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

    /// Channels it is for.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// # Errors
    /// [`ConfigError`] when a number is not finite, a deviation is not above 0, or there are not as many of both.
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
        NormalizationTable::new(self).write_chw(image, output);
    }
}

/// A [`Normalization`] with the result for each of the 256 values of each channel.
/// To be kept where many images are written.
#[derive(Debug, Clone)]
pub struct NormalizationTable {
    values: Vec<[f32; 256]>,
}

impl NormalizationTable {
    /// The table of a valid normalisation ([`Normalization::validate`]).
    #[must_use]
    pub fn new(normalization: &Normalization) -> Self {
        let channels = normalization.mean.iter().zip(&normalization.std);
        Self {
            values: channels
                .map(|(mean, std)| std::array::from_fn(|value| (value as f32 / 255.0 - mean) / std))
                .collect(),
        }
    }

    /// Channels it is for.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.values.len()
    }

    /// As [`Normalization::write_chw`].
    ///
    /// # Panics
    /// If the image has another number of channels, or `output` another number of values.
    pub fn write_chw(&self, image: &Image8, output: &mut [f32]) {
        match image {
            Image8::Rgb(image) => self.write_planes(&image.into(), output),
            Image8::Planar(image) => self.write_planes(image, output),
        }
    }

    /// [`NormalizationTable::write_chw`] of planes.
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
        for ((plane, output), table) in planes.zip(&self.values) {
            for (output, &value) in output.iter_mut().zip(plane) {
                *output = table[usize::from(value)];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
