//! [`ImageRegion`], the part of an image that is decoded because it will be read.
//!
//! Views read only their crop boxes, and decoding is most of their work. Why a type of its own: an image whose other pixels are
//! missing must not be mistaken for a whole one. This file must not decode.

use std::sync::Arc;

use image::DynamicImage;
use image::metadata::Orientation;

use crate::{CropBox, Image8};

/// Chooses the box that is decoded from width and height of the whole image, upright. The box must lie in the image.
pub type WantedBox<'a> = &'a dyn Fn(usize, usize) -> CropBox;

/// What a format's decoder returns: the pixels of a box, as they are stored.
pub(crate) struct Decoded {
    /// The pixels, not yet turned upright.
    pub(crate) image: DynamicImage,
    pub(crate) orientation: Orientation,
    /// Width and height of the whole image, upright.
    pub(crate) size: (usize, usize),
    /// The box of the upright image that `image` is, turned.
    pub(crate) part: CropBox,
}

/// The pixels of a box of an image, and where they lie in it.
#[derive(Debug, Clone)]
pub struct ImageRegion {
    pixels: Arc<Image8>,
    /// Where the pixels lie.
    part: CropBox,
    width: usize,
    height: usize,
}

impl ImageRegion {
    /// All of an image.
    #[must_use]
    pub fn whole(image: Arc<Image8>) -> Self {
        let (width, height) = (image.width(), image.height());
        Self {
            pixels: image,
            part: CropBox::whole(width, height),
            width,
            height,
        }
    }

    /// The pixels of `part` of an image of `width` x `height`.
    pub(crate) fn new(pixels: Image8, part: CropBox, (width, height): (usize, usize)) -> Self {
        debug_assert_eq!((pixels.width(), pixels.height()), (part.width, part.height));
        Self {
            pixels: Arc::new(pixels),
            part,
            width,
            height,
        }
    }

    /// Pixels in a row of the whole image.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of the whole image.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The box whose pixels are known.
    #[must_use]
    pub fn part(&self) -> CropBox {
        self.part
    }

    /// The pixels of [`ImageRegion::part`].
    #[must_use]
    pub fn pixels(&self) -> &Image8 {
        &self.pixels
    }

    /// The pixels of [`ImageRegion::part`], without a copy.
    #[must_use]
    pub fn into_pixels(self) -> Arc<Image8> {
        self.pixels
    }

    /// Where a box of the whole image lies in [`ImageRegion::pixels`].
    ///
    /// # Panics
    /// If the box is not in [`ImageRegion::part`].
    #[must_use]
    pub fn within(&self, wanted: CropBox) -> CropBox {
        let part = self.part;
        let inside = wanted.left >= part.left
            && wanted.top >= part.top
            && wanted.left + wanted.width <= part.left + part.width
            && wanted.top + wanted.height <= part.top + part.height;
        assert!(inside, "{wanted:?} of an image of which {part:?} is known");
        CropBox {
            left: wanted.left - part.left,
            top: wanted.top - part.top,
            ..wanted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RgbImage8;

    fn region() -> ImageRegion {
        let pixels = RgbImage8::from_fn(4, 3, |_, _| [0; 3]);
        let part = CropBox {
            left: 5,
            top: 6,
            width: 4,
            height: 3,
        };
        ImageRegion::new(pixels.into(), part, (20, 10))
    }

    #[test]
    fn a_box_is_counted_from_the_known_part() {
        let wanted = CropBox {
            left: 6,
            top: 6,
            width: 3,
            height: 2,
        };
        let within = region().within(wanted);
        assert_eq!((within.left, within.top, within.width, within.height), (1, 0, 3, 2));
    }

    #[test]
    #[should_panic(expected = "is known")]
    fn a_box_of_unknown_pixels_panics() {
        let wanted = CropBox {
            left: 6,
            top: 6,
            width: 4,
            height: 2,
        };
        let _ = region().within(wanted);
    }
}
