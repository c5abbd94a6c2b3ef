//! The evaluation transform: resize of the shorter side, centre crop, normalisation as in training. No randomness.
//!
//! torchvision's `Resize(resize, BICUBIC)`, `CenterCrop(crop)`, `ToTensor`, `Normalize`. When both sizes equal the
//! image's, its pixels are unchanged. This file must not know what is evaluated.

use crate::{ConfigError, CropBox, Image8, MAX_SIDE, Normalization, resize_bicubic};

/// How an image is prepared for evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalTransform {
    /// Shorter side after the resize, in pixels.
    pub resize: usize,
    /// Side of the centre crop, in pixels; at most `resize`.
    pub crop: usize,
    /// The normalisation of training.
    pub normalization: Normalization,
    /// Instead of cutting the square out, resize the image to it once more, whatever its proportions are: VISSL's VOC07 protocol.
    pub squash: bool,
}

impl EvalTransform {
    /// Creates a transform and validates it.
    ///
    /// # Errors
    /// [`ConfigError`] when a size is 0 or too large, or the crop is larger than the resize.
    pub fn new(resize: usize, crop: usize, normalization: Normalization) -> Result<Self, ConfigError> {
        let transform = Self {
            resize,
            crop,
            normalization,
            squash: false,
        };
        transform.validate()?;
        Ok(transform)
    }

    /// With [`EvalTransform::squash`] as given.
    #[must_use]
    pub fn with_squash(self, squash: bool) -> Self {
        Self { squash, ..self }
    }

    /// # Errors
    /// As [`EvalTransform::new`].
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(1..=MAX_SIDE).contains(&self.resize) {
            return Err(ConfigError::new(
                "eval.resize",
                self.resize,
                format!("a number of pixels in [1, {MAX_SIDE}]"),
            ));
        }
        if !(1..=self.resize).contains(&self.crop) {
            let allowed = format!("a number of pixels in [1, {}], the last being eval.resize", self.resize);
            return Err(ConfigError::new("eval.crop", self.crop, allowed));
        }
        self.normalization.validate()
    }

    /// Values written for one image: `channels * crop * crop`.
    #[must_use]
    pub fn values(&self) -> usize {
        self.normalization.channels() * self.crop * self.crop
    }

    /// Writes the image as normalised `[channels, crop, crop]`.
    ///
    /// # Panics
    /// If `output` does not hold [`EvalTransform::values`] values, the image has another number of channels than the
    /// normalisation, or the transform is not valid.
    pub fn apply(&self, image: &Image8, output: &mut [f32]) {
        self.normalization.write_chw(&self.apply_u8(image), output);
    }

    /// The pixels before normalisation.
    ///
    /// # Panics
    /// If the transform is not valid.
    #[must_use]
    pub fn apply_u8(&self, image: &Image8) -> Image8 {
        assert!(
            (1..=self.resize).contains(&self.crop),
            "a crop of {} from a side of {}",
            self.crop,
            self.resize
        );
        let (width, height) = self.resized(image.width(), image.height());
        let resized;
        let resized = if (width, height) == (image.width(), image.height()) {
            image
        } else {
            resized = resize_bicubic(image, CropBox::whole(image.width(), image.height()), width, height);
            &resized
        };
        let region = if self.squash {
            CropBox::whole(width, height)
        } else {
            CropBox::centre(width, height, self.crop, self.crop)
        };
        resize_bicubic(resized, region, self.crop, self.crop)
    }

    /// Width and height after the resize: the longer side is truncated to whole pixels, not rounded, as in torchvision.
    fn resized(&self, width: usize, height: usize) -> (usize, usize) {
        let longer = self.resize * width.max(height) / width.min(height);
        if width <= height {
            (self.resize, longer)
        } else {
            (longer, self.resize)
        }
    }
}
