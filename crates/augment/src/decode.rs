//! Decoder of image files to an [`RgbImage8`], and encoder of images as PNG.
//!
//! The format is that of the first bytes. Colours are converted to RGB as by Pillow's `convert("RGB")` (alpha is dropped,
//! grey repeated), and the image is turned upright as by its `ImageOps.exif_transpose`. Data that cannot be trusted (wrong format, damaged, truncated, huge)
//! is an error, never a guess: training would accept an image that is half grey.

use image::{DynamicImage, ImageEncoder};

use crate::convert::{to_grey8, to_rgb8, to_rgba8};
use crate::sniff::{Sniffed, sniff};
use crate::{DecodeError, Image8, RgbImage8, jpeg, png, raster};

/// An image could not be written as PNG.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the PNG: {0}")]
pub struct EncodeError(String);

/// Decodes an image file (JPEG, PNG, WebP, BMP, TIFF, GIF, PNM, QOI; of several frames the first), turns it upright by its
/// metadata and converts it to 8-bit RGB.
///
/// # Errors
/// [`DecodeError`], for anything that is not a whole image within the limits.
pub fn decode(bytes: &[u8]) -> Result<RgbImage8, DecodeError> {
    decode_dynamic(bytes).map(to_rgb8)
}

/// As [`decode`], with 1 (grey), 3 (RGB) or 4 (RGBA) channels, converted as Pillow's `convert` to `L`, `RGB` or `RGBA`
/// does. A file without alpha is opaque.
///
/// # Errors
/// As [`decode`], and [`DecodeError::Channels`] for another number.
pub fn decode_channels(bytes: &[u8], channels: usize) -> Result<Image8, DecodeError> {
    match channels {
        3 => decode(bytes).map(Image8::Rgb),
        1 => decode_dynamic(bytes).map(to_grey8),
        4 => decode_dynamic(bytes).map(to_rgba8),
        _ => Err(DecodeError::Channels { channels }),
    }
}

fn decode_dynamic(bytes: &[u8]) -> Result<DynamicImage, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let (mut image, orientation) = match sniff(bytes) {
        Sniffed::Jpeg => jpeg::decode(bytes)?,
        Sniffed::Png => png::decode(bytes)?,
        Sniffed::Other(format) => raster::decode(bytes, format)?,
        Sniffed::Unreadable(name) => return Err(DecodeError::Unreadable(name)),
        Sniffed::Unknown => return Err(DecodeError::UnknownFormat),
    };
    image.apply_orientation(orientation);
    Ok(image)
}

/// The image as PNG bytes (lossless).
///
/// # Errors
/// [`EncodeError`], when the encoder refuses the image (a side beyond PNG's limit).
pub fn encode_png(image: &RgbImage8) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(
            image.pixels(),
            image.width() as u32,
            image.height() as u32,
            image::ExtendedColorType::Rgb8,
        )
        .map_err(|error| EncodeError(error.to_string()))?;
    Ok(bytes)
}
