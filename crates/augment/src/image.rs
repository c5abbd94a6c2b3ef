//! [`RgbImage8`], the RGB image type of the crate: 8-bit, interleaved, values in [0, 255].
//!
//! Why a custom type: the operations work in place on plain bytes, and the crates above must not depend on the
//! version of the `image` crate. This file must not know how images are decoded.

/// An 8-bit RGB image: `height` rows of `width` pixels, each `[r, g, b]` in [0, 255], row by row without padding.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RgbImage8 {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl RgbImage8 {
    /// Creates an image from its bytes (`3 * width * height`, interleaved RGB).
    ///
    /// # Panics
    /// If the number of bytes is not `3 * width * height`, or a side is 0.
    #[must_use]
    pub fn new(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        assert!(
            width > 0 && height > 0,
            "an image of {width}x{height} pixels has no pixels"
        );
        assert_eq!(
            pixels.len(),
            3 * width * height,
            "bytes given, and bytes of a {width}x{height} RGB image"
        );
        Self { width, height, pixels }
    }

    /// Creates an image from a function of column `x` and row `y`.
    ///
    /// # Panics
    /// If a side is 0.
    #[must_use]
    pub fn from_fn(width: usize, height: usize, mut pixel: impl FnMut(usize, usize) -> [u8; 3]) -> Self {
        let pixels = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .flat_map(|(x, y)| pixel(x, y))
            .collect();
        Self::new(width, height, pixels)
    }

    /// Pixels in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// All bytes: `3 * width * height`, interleaved RGB.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All bytes, mutable.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The `[r, g, b]` of column `x`, row `y`.
    ///
    /// # Panics
    /// If the position is outside the image.
    #[must_use]
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        assert!(
            x < self.width && y < self.height,
            "({x}, {y}) is outside {}x{}",
            self.width,
            self.height
        );
        let start = 3 * (y * self.width + x);
        [self.pixels[start], self.pixels[start + 1], self.pixels[start + 2]]
    }

    /// The bytes, without a copy.
    #[must_use]
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Changes the size and reuses the allocation; the pixel values are unspecified afterwards.
    pub(crate) fn reshape(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        self.pixels.resize(3 * width * height, 0);
    }
}

impl std::fmt::Debug for RgbImage8 {
    /// The size only: a failed assertion on two photographs should not print a million numbers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RgbImage8({}x{})", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_row_by_row_and_interleaved() {
        let image = RgbImage8::from_fn(3, 2, |x, y| [x as u8, y as u8, 9]);
        assert_eq!(image.pixel(2, 1), [2, 1, 9]);
        assert_eq!(&image.pixels()[..6], &[0, 0, 9, 1, 0, 9]);
        assert_eq!(image.pixels().len(), 18);
    }

    #[test]
    #[should_panic(expected = "bytes of a 4x2 RGB image")]
    fn a_wrong_number_of_bytes_panics_with_the_size() {
        let _ = RgbImage8::new(4, 2, vec![0; 23]);
    }
}
