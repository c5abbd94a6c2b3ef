//! Layout conversion between interleaved RGB and planes, and the horizontal flip.
//!
//! Why: files are decoded to interleaved pixels, and the operations of a view are several times faster on planes. This
//! file must not change a value.

use crate::simd::vectorised;
use crate::{PlanarImage8, RgbImage8};

impl From<&RgbImage8> for PlanarImage8 {
    fn from(image: &RgbImage8) -> Self {
        let mut planes = Self::default();
        planes.copy_from_rgb(image);
        planes
    }
}

impl From<&PlanarImage8> for RgbImage8 {
    /// The first three planes as red, green and blue.
    ///
    /// # Panics
    /// If there are fewer than three.
    fn from(planes: &PlanarImage8) -> Self {
        assert!(planes.channels() >= 3, "three planes of {planes:?}");
        let mut pixels = vec![0; 3 * planes.width() * planes.height()];
        interleave(planes.plane(0), planes.plane(1), planes.plane(2), &mut pixels);
        Self::new(planes.width(), planes.height(), pixels)
    }
}

impl PlanarImage8 {
    /// Copies the pixels of an RGB image and reuses the allocation.
    pub(crate) fn copy_from_rgb(&mut self, image: &RgbImage8) {
        self.reshape(3, image.width(), image.height());
        let size = image.width() * image.height();
        let (r, rest) = self.pixels_mut().split_at_mut(size);
        let (g, b) = rest.split_at_mut(size);
        deinterleave(image.pixels(), r, g, b);
    }
}

/// Flips the image horizontally, whatever its channels are.
pub fn flip_horizontal(image: &mut PlanarImage8) {
    let width = image.width();
    reverse_rows(image.pixels_mut(), width);
}

vectorised! {
    fn reverse_rows<'a>(pixels: &'a mut [u8], width: usize) {
        for row in pixels.chunks_exact_mut(width) {
            row.reverse();
        }
    }
}

vectorised! {
    fn deinterleave<'a>(pixels: &'a [u8], r: &'a mut [u8], g: &'a mut [u8], b: &'a mut [u8]) {
        for (((rgb, r), g), b) in pixels.chunks_exact(3).zip(r).zip(g).zip(b) {
            (*r, *g, *b) = (rgb[0], rgb[1], rgb[2]);
        }
    }
}

vectorised! {
    fn interleave<'a>(r: &'a [u8], g: &'a [u8], b: &'a [u8], pixels: &'a mut [u8]) {
        for (((rgb, r), g), b) in pixels.chunks_exact_mut(3).zip(r).zip(g).zip(b) {
            rgb.copy_from_slice(&[*r, *g, *b]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_is_the_same_image() {
        for (width, height) in [(1, 1), (5, 3), (67, 31), (224, 3)] {
            let image = RgbImage8::from_fn(width, height, |x, y| [x as u8, y as u8, (x * 7 + y * 3) as u8]);
            let planes = PlanarImage8::from(&image);
            assert_eq!(planes.plane(0)[width - 1], (width - 1) as u8);
            assert_eq!(planes.plane(2)[0], 0);
            assert_eq!(RgbImage8::from(&planes), image);
        }
    }

    #[test]
    fn a_mirror_image_is_mirrored_row_by_row_in_every_plane() {
        let mut image = PlanarImage8::new(2, 3, 2, (0..12).collect());
        flip_horizontal(&mut image);
        assert_eq!(image.pixels(), [2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9]);
    }
}
