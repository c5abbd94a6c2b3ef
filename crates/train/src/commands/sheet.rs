//! A contact sheet: pictures side by side on white.

use barlow_augment::{CropBox, Image8, RgbImage8, resize_bicubic};

/// Pixels between two pictures.
pub(super) const GAP: usize = 2;

/// The image scaled to fit into `width` × `height`, with its aspect ratio preserved.
pub(super) fn fitted(image: &Image8, width: usize, height: usize) -> RgbImage8 {
    let (from_width, from_height) = (image.width() as f64, image.height() as f64);
    let scale = (width as f64 / from_width).min(height as f64 / from_height);
    let side = |length: f64, most: usize| ((length * scale).round() as usize).clamp(1, most);
    let whole = CropBox::whole(image.width(), image.height());
    resize_bicubic(image, whole, side(from_width, width), side(from_height, height)).preview()
}

/// A white canvas.
pub(super) struct Sheet {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Sheet {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            pixels: vec![255; 3 * width * height],
        }
    }

    /// Copies an image, which must fit, to this place.
    pub(super) fn put(&mut self, image: &RgbImage8, left: usize, top: usize) {
        for (y, line) in image.pixels().chunks_exact(3 * image.width()).enumerate() {
            let start = 3 * ((top + y) * self.width + left);
            self.pixels[start..start + line.len()].copy_from_slice(line);
        }
    }

    /// The picture.
    pub(super) fn picture(self) -> RgbImage8 {
        RgbImage8::new(self.width, self.height, self.pixels)
    }
}
