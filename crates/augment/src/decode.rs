//! Decoder of JPEG and PNG bytes to an [`RgbImage8`], and encoder of images as PNG.
//!
//! Colours are converted to RGB as by Pillow's `convert("RGB")` (alpha is dropped, grey repeated). Unlike with
//! Pillow's `open`, the EXIF orientation is applied. Data that cannot be trusted (wrong format, damaged, truncated, huge)
//! is an error, never a guess: training would accept an image that is half grey.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageFormat, ImageReader};

use crate::convert::{to_grey8, to_rgb8, to_rgba8};
use crate::decode_error::{check_size, damaged};
use crate::{DecodeError, Image8, MAX_DECODED_BYTES, RgbImage8, jpeg};

/// An image could not be written as PNG.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the PNG: {0}")]
pub struct EncodeError(String);

/// Decodes a JPEG or PNG, applies its EXIF orientation and converts it to 8-bit RGB.
///
/// # Errors
/// [`DecodeError`], for anything that is not a whole image within the limits.
pub fn decode(bytes: &[u8]) -> Result<RgbImage8, DecodeError> {
    decode_dynamic(bytes, false).map(to_rgb8)
}

/// As [`decode`], with 1 (grey), 3 (RGB) or 4 (RGBA) channels, converted as Pillow's `convert` to `L`, `RGB` or `RGBA`
/// does. A file without alpha is opaque.
///
/// # Errors
/// As [`decode`], and [`DecodeError::Channels`] for another number.
pub fn decode_channels(bytes: &[u8], channels: usize) -> Result<Image8, DecodeError> {
    match channels {
        3 => decode(bytes).map(Image8::Rgb),
        1 => decode_dynamic(bytes, true).map(to_grey8),
        4 => decode_dynamic(bytes, false).map(to_rgba8),
        _ => Err(DecodeError::Channels { channels }),
    }
}

fn decode_dynamic(bytes: &[u8], keep_grey: bool) -> Result<DynamicImage, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let (mut image, orientation) = match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => jpeg::decode(bytes, keep_grey)?,
        Ok(ImageFormat::Png) => decode_png(bytes)?,
        _ => return Err(DecodeError::UnknownFormat),
    };
    image.apply_orientation(orientation);
    Ok(image)
}

fn decode_png(bytes: &[u8]) -> Result<(DynamicImage, Orientation), DecodeError> {
    if !palettes_are_whole(bytes) {
        return Err(DecodeError::Damaged("its palette is not a list of colours".into()));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    // A PNG of one bit per pixel is small until it is expanded to RGB.
    let as_rgb = 3 * u64::from(width) * u64::from(height);
    check_size(width as usize, height as usize, decoder.total_bytes().max(as_rgb))?;
    let orientation = decoder.orientation().map_err(damaged)?;
    Ok((DynamicImage::from_decoder(decoder).map_err(damaged)?, orientation))
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

/// Whether every palette of a PNG consists of whole three-byte colours. `png` 0.18.1 panics on others (its issue 694,
/// fixed after that release); found by fuzzing.
fn palettes_are_whole(bytes: &[u8]) -> bool {
    // After the signature: chunks of length, kind, body, checksum.
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((&[a, b, c, d, ref kind @ ..], after)) = rest.split_first_chunk::<8>() {
        let len = u32::from_be_bytes([a, b, c, d]) as usize;
        if kind == b"PLTE" && !len.is_multiple_of(3) {
            return false;
        }
        rest = after.get(len.saturating_add(4)..).unwrap_or_default();
    }
    true
}
