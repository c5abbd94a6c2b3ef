//! Small images in one picture.

use barlow_augment::{CropBox, EncodeError, Image8, RgbImage8, encode_png, resize_bicubic};
use barlow_report::Thumbnails;

/// Side of a small image in pixels.
const SIDE: usize = 28;
/// Small images per row.
const COLUMNS: usize = 40;

/// Collects small images.
#[derive(Default)]
pub(super) struct Sheet {
    images: Vec<RgbImage8>,
}

impl Sheet {
    /// Adds an image, the centre square of it; returns its number.
    pub(super) fn add(&mut self, image: &Image8) -> usize {
        let square = image.width().min(image.height());
        let centre = CropBox::centre(image.width(), image.height(), square, square);
        self.images.push(resize_bicubic(image, centre, SIDE, SIDE).preview());
        self.images.len() - 1
    }

    /// The picture. Its colours have five bits each: a small image looks the same, and a third of the bytes is saved.
    ///
    /// # Errors
    /// If the picture cannot be encoded.
    pub(super) fn thumbnails(&self) -> Result<Thumbnails, EncodeError> {
        if self.images.is_empty() {
            return Ok(Thumbnails::default());
        }
        let (width, height) = (SIDE * COLUMNS, SIDE * self.images.len().div_ceil(COLUMNS));
        let picture = RgbImage8::from_fn(width, height, |x, y| {
            let image = self.images.get(y / SIDE * COLUMNS + x / SIDE);
            let place = 3 * (y % SIDE * SIDE + x % SIDE);
            image.map_or([255; 3], |image| {
                // The upper bits are repeated below, so that white stays white.
                [0, 1, 2]
                    .map(|channel| image.pixels()[place + channel] & 0xf8)
                    .map(|value| value | value >> 5)
            })
        });
        Ok(thumbnails(encode_png(&picture)?))
    }
}

/// The thumbnails of a stored picture.
pub(super) fn thumbnails(png: Vec<u8>) -> Thumbnails {
    Thumbnails {
        side: SIDE,
        columns: COLUMNS,
        png,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_augment::decode;

    #[test]
    fn images_are_found_again_at_their_places() {
        let mut sheet = Sheet::default();
        for tone in 0..45u8 {
            let image = RgbImage8::from_fn(60, 40, |_, _| [5 * tone, 255, 0]);
            assert_eq!(sheet.add(&image.into()), usize::from(tone));
        }
        let thumbnails = sheet.thumbnails().unwrap();
        let picture = decode(&thumbnails.png).unwrap();
        assert_eq!((picture.width(), picture.height()), (40 * 28, 2 * 28));
        let pixel = |at: usize| {
            let (x, y) = (at % 40 * 28 + 14, at / 40 * 28 + 14);
            let place = 3 * (y * picture.width() + x);
            [0, 1, 2].map(|channel| picture.pixels()[place + channel])
        };
        assert_eq!([pixel(0), pixel(44)], [[0, 255, 0], [222, 255, 0]]);
        assert_eq!(pixel(45), [255; 3], "no image");
    }
}
