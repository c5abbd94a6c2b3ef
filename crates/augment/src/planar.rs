//! [`PlanarImage8`], an 8-bit image of any number of channels, plane by plane: a grey image, an image with an alpha
//! channel, a medical or satellite image with many channels.
//!
//! Why a second type besides [`crate::RgbImage8`]: the colour operations only make sense for red, green and blue, and a
//! type that does not offer them cannot be jittered by mistake. This file must not know what the channels mean.

/// An 8-bit image of `channels` planes, `[channels, height, width]` row by row without padding, values in [0, 255].
#[derive(Clone, PartialEq, Eq, Default)]
pub struct PlanarImage8 {
    channels: usize,
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl PlanarImage8 {
    /// Creates an image from its bytes (`channels * width * height`, plane by plane).
    ///
    /// # Panics
    /// If the number of bytes differs, or a side or the number of channels is 0.
    #[must_use]
    pub fn new(channels: usize, width: usize, height: usize, pixels: Vec<u8>) -> Self {
        assert!(
            channels > 0 && width > 0 && height > 0,
            "an image of {channels} channels and {width}x{height} pixels has no pixels"
        );
        assert_eq!(
            pixels.len(),
            channels * width * height,
            "bytes given, and bytes of a {width}x{height} image of {channels} channels"
        );
        Self {
            channels,
            width,
            height,
            pixels,
        }
    }

    /// Number of planes.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
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

    /// All bytes, plane by plane.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All bytes, mutable.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// One plane: `width * height` bytes.
    ///
    /// # Panics
    /// If there is no such channel.
    #[must_use]
    pub fn plane(&self, channel: usize) -> &[u8] {
        let size = self.width * self.height;
        &self.pixels[channel * size..(channel + 1) * size]
    }

    /// One plane, mutable.
    ///
    /// # Panics
    /// If there is no such channel.
    pub fn plane_mut(&mut self, channel: usize) -> &mut [u8] {
        let size = self.width * self.height;
        &mut self.pixels[channel * size..(channel + 1) * size]
    }

    /// The planes of an image of three channels, for the colour operations; `None` for any other number.
    pub fn rgb_planes(&mut self) -> Option<RgbPlanes<'_>> {
        if self.channels != 3 {
            return None;
        }
        let size = self.width * self.height;
        let (r, rest) = self.pixels.split_at_mut(size);
        let (g, b) = rest.split_at_mut(size);
        Some(RgbPlanes { r, g, b })
    }

    /// The bytes, without a copy.
    #[must_use]
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Changes the shape and reuses the allocation; the pixel values are unspecified afterwards.
    pub(crate) fn reshape(&mut self, channels: usize, width: usize, height: usize) {
        (self.channels, self.width, self.height) = (channels, width, height);
        self.pixels.resize(channels * width * height, 0);
    }
}

/// The red, green and blue planes of an image, all of the same length: what the colour operations take.
#[derive(Debug)]
pub struct RgbPlanes<'a> {
    pub(crate) r: &'a mut [u8],
    pub(crate) g: &'a mut [u8],
    pub(crate) b: &'a mut [u8],
}

impl RgbPlanes<'_> {
    /// Reborrows the planes, so that one operation can follow another.
    #[must_use]
    pub fn reborrow(&mut self) -> RgbPlanes<'_> {
        RgbPlanes {
            r: self.r,
            g: self.g,
            b: self.b,
        }
    }
}

impl std::fmt::Debug for PlanarImage8 {
    /// The shape only, as for [`crate::RgbImage8`].
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PlanarImage8({}x{}x{})", self.channels, self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_lie_one_after_the_other() {
        let mut image = PlanarImage8::new(2, 3, 1, vec![1, 2, 3, 4, 5, 6]);
        assert_eq!((image.plane(0), image.plane(1)), (&[1, 2, 3][..], &[4, 5, 6][..]));
        image.plane_mut(1)[0] = 9;
        assert_eq!(image.pixels(), [1, 2, 3, 9, 5, 6]);
    }

    #[test]
    #[should_panic(expected = "bytes of a 4x2 image of 5 channels")]
    fn a_wrong_number_of_bytes_panics_with_the_shape() {
        let _ = PlanarImage8::new(5, 4, 2, vec![0; 41]);
    }
}
