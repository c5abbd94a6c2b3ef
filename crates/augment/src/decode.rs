//! Decoder of image files to an [`RgbImage8`], and encoder of images as PNG.
//!
//! The format is that of the first bytes. Colours are converted to RGB as by Pillow's `convert("RGB")` (alpha is dropped,
//! grey repeated), and the image is turned upright as by its `ImageOps.exif_transpose`. Data that cannot be trusted (wrong format, damaged, truncated, huge)
//! is an error, never a guess: training would accept an image that is half grey.

use image::metadata::Orientation;
use image::{DynamicImage, ImageEncoder};

use crate::convert::{to_grey8, to_rgb8, to_rgba8};
use crate::orientation::upright_size;
use crate::region::{Decoded, ImageRegion, WantedBox};
use crate::sniff::{Sniffed, sniff};
use crate::{CropBox, DecodeError, Image8, RgbImage8, jpeg, png, raster};

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
    decode_dynamic(bytes, &CropBox::whole).map(|decoded| to_rgb8(decoded.image))
}

/// As [`decode`], with 1 (grey), 3 (RGB) or 4 (RGBA) channels, converted as Pillow's `convert` to `L`, `RGB` or `RGBA`
/// does. A file without alpha is opaque.
///
/// # Errors
/// As [`decode`], and [`DecodeError::Channels`] for another number.
pub fn decode_channels(bytes: &[u8], channels: usize) -> Result<Image8, DecodeError> {
    let convert = conversion(channels)?;
    decode_dynamic(bytes, &CropBox::whole).map(|decoded| convert(decoded.image))
}

/// As [`decode_channels`], but makes only the pixels of the box that `wanted` chooses, with what that saves: a JPEG's pixels
/// outside are not computed; of the other formats the whole image is decoded and returned. They are the pixels of the whole image, and
/// a file that [`decode_channels`] refuses is refused whatever the box is.
///
/// # Errors
/// As [`decode_channels`].
///
/// # Panics
/// If the box is not inside the image.
pub fn decode_region(bytes: &[u8], channels: usize, wanted: WantedBox<'_>) -> Result<ImageRegion, DecodeError> {
    let convert = conversion(channels)?;
    let Decoded { image, size, part, .. } = decode_dynamic(bytes, wanted)?;
    Ok(ImageRegion::new(convert(image), part, size))
}

fn conversion(channels: usize) -> Result<fn(DynamicImage) -> Image8, DecodeError> {
    match channels {
        3 => Ok(|image| Image8::Rgb(to_rgb8(image))),
        1 => Ok(to_grey8),
        4 => Ok(to_rgba8),
        _ => Err(DecodeError::Channels { channels }),
    }
}

/// Decodes what `wanted` chooses, or more, and turns it upright.
fn decode_dynamic(bytes: &[u8], wanted: WantedBox<'_>) -> Result<Decoded, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let whole = |(image, orientation): (DynamicImage, Orientation)| {
        let size = upright_size(orientation, image.width() as usize, image.height() as usize);
        let part = CropBox::whole(size.0, size.1);
        Decoded {
            image,
            orientation,
            size,
            part,
        }
    };
    let mut decoded = match sniff(bytes) {
        Sniffed::Jpeg => jpeg::decode(bytes, wanted)?,
        Sniffed::Png => whole(png::decode(bytes)?),
        Sniffed::Other(format) => whole(raster::decode(bytes, format)?),
        Sniffed::Unreadable(name) => return Err(DecodeError::Unreadable(name)),
        Sniffed::Unknown => return Err(DecodeError::UnknownFormat),
    };
    decoded.image.apply_orientation(decoded.orientation);
    Ok(decoded)
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
