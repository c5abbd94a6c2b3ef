//! 8-bit pixels -> normalised f32 in channel-first order, as `ToTensor` and `Normalize` give them.
//!
//! Why a table: a channel has only 256 values, so each is computed once in torch's order of f32 operations and the
//! result is equal to the bit. This file must not know where mean and deviation come from.

use serde::{Deserialize, Serialize};

use crate::{ConfigError, RgbImage8};

/// Mean and standard deviation of each channel, for values in [0, 1]: a pixel becomes `(value / 255 - mean) / std`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// Mean of R, G, B, in units of [0, 1].
    pub mean: [f32; 3],
    /// Standard deviation of R, G, B, in units of [0, 1]; above 0.
    pub std: [f32; 3],
}

impl Normalization {
    /// ImageNet's, as every torchvision model expects.
    pub const IMAGENET: Self = Self {
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    };

    /// # Errors
    /// [`ConfigError`] when a number is not finite or a deviation is not above 0.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if let Some(mean) = self.mean.iter().find(|mean| !mean.is_finite()) {
            return Err(ConfigError::new(
                "normalize.mean",
                mean,
                "three finite numbers, for pixels in [0, 1]",
            ));
        }
        if let Some(std) = self.std.iter().find(|std| !(std.is_finite() && **std > 0.0)) {
            return Err(ConfigError::new(
                "normalize.std",
                std,
                "three finite numbers above 0, for pixels in [0, 1]",
            ));
        }
        Ok(())
    }

    /// Writes the image as `[3, height, width]`.
    ///
    /// # Panics
    /// If `output` does not hold `3 * height * width` values.
    pub fn write_chw(&self, image: &RgbImage8, output: &mut [f32]) {
        NormalizationTable::new(*self).write_chw(image, output);
    }
}

/// A [`Normalization`] with the result for each of the 256 values of each channel.
#[derive(Debug, Clone)]
pub(crate) struct NormalizationTable {
    values: Box<[[f32; 256]; 3]>,
}

impl NormalizationTable {
    pub(crate) fn new(normalization: Normalization) -> Self {
        let Normalization { mean, std } = normalization;
        let channel = |c: usize| std::array::from_fn(|value| (value as f32 / 255.0 - mean[c]) / std[c]);
        Self {
            values: Box::new([0, 1, 2].map(channel)),
        }
    }

    pub(crate) fn write_chw(&self, image: &RgbImage8, output: &mut [f32]) {
        let plane = image.width() * image.height();
        assert_eq!(
            output.len(),
            3 * plane,
            "values in the output, and values of [3, {}, {}]",
            image.height(),
            image.width()
        );
        let (red, rest) = output.split_at_mut(plane);
        let (green, blue) = rest.split_at_mut(plane);
        let [reds, greens, blues] = &*self.values;
        for (((rgb, r), g), b) in image.pixels().chunks_exact(3).zip(red).zip(green).zip(blue) {
            *r = reds[usize::from(rgb[0])];
            *g = greens[usize::from(rgb[1])];
            *b = blues[usize::from(rgb[2])];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deviation_of_zero_and_a_mean_that_is_no_number_are_refused() {
        let with_std = |std| Normalization {
            mean: [0.0; 3],
            std: [1.0, std, 1.0],
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
            mean: [f32::NAN, 0.0, 0.0],
            std: [1.0; 3],
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
        Normalization::IMAGENET.write_chw(&RgbImage8::from_fn(3, 2, |_, _| [0; 3]), &mut [0.0; 17]);
    }
}
