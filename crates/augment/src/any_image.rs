//! [`Image8`], the decoded image that a data set returns: RGB, or planes of any number of channels; and the conversion
//! from one number of channels to another.
//!
//! Why an enum: the pipeline of three channels has operations that the others do not have, and this is the only place
//! that distinguishes them. This file must not decode.

use crate::{PlanarImage8, RgbImage8, color::luma};

/// A decoded image. A colour file with three channels is always [`Image8::Rgb`]; three planes are treated as RGB where
/// only the number of channels is known ([`Image8::into_channels`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image8 {
    /// Red, green and blue, interleaved.
    Rgb(RgbImage8),
    /// Any other channels, stored plane by plane.
    Planar(PlanarImage8),
}

/// Error: there is no conversion between these numbers of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an image of {has} channels cannot become one of {wanted}: set model.in_channels to {has}")]
pub struct ChannelsError {
    /// Channels of the image.
    pub has: usize,
    /// Requested number of channels.
    pub wanted: usize,
}

impl Image8 {
    /// Pixels in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Self::Rgb(image) => image.width(),
            Self::Planar(image) => image.width(),
        }
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        match self {
            Self::Rgb(image) => image.height(),
            Self::Planar(image) => image.height(),
        }
    }

    /// Channels: 3 for RGB.
    #[must_use]
    pub fn channels(&self) -> usize {
        match self {
            Self::Rgb(_) => 3,
            Self::Planar(image) => image.channels(),
        }
    }

    /// All bytes, in the layout of the variant.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        match self {
            Self::Rgb(image) => image.pixels(),
            Self::Planar(image) => image.pixels(),
        }
    }

    /// Size of the pixels in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.channels() * self.width() * self.height()
    }

    /// The image as it can be displayed: RGB unchanged, grey as grey, the first three of four channels, and the first one
    /// of any other number.
    #[must_use]
    pub fn preview(&self) -> RgbImage8 {
        match self {
            Self::Rgb(image) => image.clone(),
            Self::Planar(image) if matches!(image.channels(), 3 | 4) => image.into(),
            Self::Planar(image) => {
                let pixels = image.plane(0).iter().flat_map(|&v| [v; 3]).collect();
                RgbImage8::new(image.width(), image.height(), pixels)
            }
        }
    }

    /// The image with another number of channels, as Pillow's `convert` to `L`, `RGB` or `RGBA` would make it: grey is
    /// repeated for red, green and blue; colours become grey by ITU-R 601; an alpha channel is dropped, or added opaque.
    /// Three channels are always [`Image8::Rgb`] afterwards. An image that already has `wanted` channels keeps its pixels.
    ///
    /// # Errors
    /// [`ChannelsError`] for any other pair of numbers.
    pub fn into_channels(self, wanted: usize) -> Result<Self, ChannelsError> {
        let has = self.channels();
        if has == wanted {
            return Ok(match self {
                Self::Planar(planes) if has == 3 => Self::Rgb(RgbImage8::from(&planes)),
                same => same,
            });
        }
        let (width, height) = (self.width(), self.height());
        let planar = |channels, pixels| Self::Planar(PlanarImage8::new(channels, width, height, pixels));
        Ok(match (self, wanted) {
            (Self::Planar(grey), 3) if has == 1 => {
                let pixels = grey.pixels().iter().flat_map(|&v| [v; 3]).collect();
                Self::Rgb(RgbImage8::new(width, height, pixels))
            }
            (Self::Planar(grey), 4) if has == 1 => {
                let plane = grey.into_pixels();
                planar(4, [&plane[..], &plane, &plane, &vec![255; plane.len()]].concat())
            }
            (Self::Planar(rgba), 3) if has == 4 => Self::Rgb(RgbImage8::from(&rgba)),
            (image @ Self::Planar(_), 1) if has == 3 || has == 4 => return image.into_channels_through_rgb(1),
            (Self::Rgb(rgb), 1) => planar(
                1,
                rgb.pixels()
                    .chunks_exact(3)
                    .map(|rgb| luma(rgb[0], rgb[1], rgb[2]))
                    .collect(),
            ),
            (Self::Rgb(rgb), 4) => {
                let mut pixels = vec![255; 4 * width * height];
                let plane = width * height;
                for (at, rgb) in rgb.pixels().chunks_exact(3).enumerate() {
                    for (channel, &value) in rgb.iter().enumerate() {
                        pixels[channel * plane + at] = value;
                    }
                }
                planar(4, pixels)
            }
            (image @ Self::Planar(_), 4) if has == 3 => return image.into_channels_through_rgb(4),
            _ => return Err(ChannelsError { has, wanted }),
        })
    }

    fn into_channels_through_rgb(self, wanted: usize) -> Result<Self, ChannelsError> {
        self.into_channels(3)?.into_channels(wanted)
    }
}

impl From<RgbImage8> for Image8 {
    fn from(image: RgbImage8) -> Self {
        Self::Rgb(image)
    }
}

impl From<PlanarImage8> for Image8 {
    fn from(image: PlanarImage8) -> Self {
        Self::Planar(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb() -> RgbImage8 {
        RgbImage8::new(2, 1, vec![10, 20, 30, 200, 100, 0])
    }

    fn planes(channels: usize, pixels: &[u8]) -> Image8 {
        PlanarImage8::new(channels, 2, 1, pixels.to_vec()).into()
    }

    #[test]
    fn channels_change_as_pillow_converts() {
        let grey = planes(1, &[7, 9]);
        let as_rgb = Image8::Rgb(RgbImage8::new(2, 1, vec![7, 7, 7, 9, 9, 9]));
        assert_eq!(grey.clone().into_channels(3), Ok(as_rgb));
        assert_eq!(grey.clone().into_channels(1), Ok(grey.clone()));
        assert_eq!(grey.into_channels(4), Ok(planes(4, &[7, 9, 7, 9, 7, 9, 255, 255])));
        // Image.frombytes("RGB", (2, 1), bytes([10, 20, 30, 200, 100, 0])).convert("L").tobytes() = 18, 118
        assert_eq!(Image8::Rgb(rgb()).into_channels(1), Ok(planes(1, &[18, 118])));
        let rgba = planes(4, &[10, 200, 20, 100, 30, 0, 255, 255]);
        assert_eq!(Image8::Rgb(rgb()).into_channels(4), Ok(rgba));
        let clear = planes(4, &[10, 200, 20, 100, 30, 0, 0, 77]);
        assert_eq!(clear.clone().into_channels(3), Ok(Image8::Rgb(rgb())));
        assert_eq!(clear.into_channels(1), Ok(planes(1, &[18, 118])));
        let three = planes(3, &[10, 200, 20, 100, 30, 0]);
        assert_eq!(three.clone().into_channels(3), Ok(Image8::Rgb(rgb())));
        assert_eq!(three.into_channels(1), Ok(planes(1, &[18, 118])));
    }

    #[test]
    fn a_preview_shows_what_a_person_can_see() {
        let grey = RgbImage8::new(2, 1, vec![7, 7, 7, 9, 9, 9]);
        assert_eq!(Image8::Rgb(rgb()).preview(), rgb());
        assert_eq!(planes(4, &[10, 200, 20, 100, 30, 0, 0, 77]).preview(), rgb());
        for other in [&[7, 9][..], &[7, 9, 1, 1], &[7, 9, 1, 1, 2, 2, 3, 3, 4, 4]] {
            assert_eq!(planes(other.len() / 2, other).preview(), grey);
        }
    }

    #[test]
    fn what_has_no_rule_is_an_error_with_both_numbers() {
        let six = planes(6, &[0; 12]);
        assert_eq!(six.clone().into_channels(6), Ok(six.clone()));
        let error = six.into_channels(3).unwrap_err();
        assert_eq!((error.has, error.wanted), (6, 3));
        assert!(error.to_string().contains("set model.in_channels to 6"));
        assert!(Image8::Rgb(rgb()).into_channels(2).is_err());
    }
}
