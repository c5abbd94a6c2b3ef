//! Bytes of a JPEG or PNG file -> [`RgbImage8`], and back to PNG for people to look at.
//!
//! Colours become RGB as Pillow's `convert("RGB")` makes them (alpha is dropped, grey repeated). Unlike
//! Pillow's `open`, the EXIF orientation is applied: a photograph is used the way up it was taken. What cannot be
//! trusted (wrong format, damaged, cut short, huge) is an error, never a guess: an image that is half grey would train.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageFormat, ImageReader};

use crate::color::luma;
use crate::{Image8, PlanarImage8, RgbImage8};

/// Longest side of an image that is decoded, in pixels.
pub const MAX_SIDE: usize = 16_384;
/// Most bytes an image may take when decoded, before it is turned into 8-bit RGB.
pub const MAX_DECODED_BYTES: u64 = 512 << 20;

/// Why bytes are not an image. The text is one line without the file's name, which the caller knows.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// There are no bytes at all.
    #[error("the file is empty")]
    Empty,
    /// The first bytes are neither JPEG's nor PNG's.
    #[error("not a JPEG or PNG image (the first bytes say so, whatever the name)")]
    UnknownFormat,
    /// The image would be larger than the limits.
    #[error(
        "{width}x{height} pixels ({bytes} bytes decoded) is over the limit of {MAX_SIDE} pixels a side and \
         {MAX_DECODED_BYTES} bytes; scale it down first"
    )]
    TooLarge {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Bytes of the decoded pixels.
        bytes: u64,
    },
    /// A JPEG without its end: the decoder would fill the missing part with grey.
    #[error("the JPEG data ends too early (a cut-off download?)")]
    Truncated,
    /// Files hold grey, RGB or RGBA.
    #[error("an image file gives 1, 3 or 4 channels, not {channels}; set model.in_channels")]
    Channels {
        /// Channels asked for.
        channels: usize,
    },
    /// The decoder refused the data.
    #[error("damaged image: {0}")]
    Damaged(String),
}

/// An image could not be written as PNG.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the PNG: {0}")]
pub struct EncodeError(String);

/// Decodes a JPEG or PNG, applies its EXIF orientation and converts it to 8-bit RGB.
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
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png)) => format,
        _ => return Err(DecodeError::UnknownFormat),
    };
    if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
        return Err(DecodeError::Truncated);
    }
    if format == ImageFormat::Png && !png_palettes_are_whole(bytes) {
        return Err(DecodeError::Damaged("the palette is no list of colours".into()));
    }
    let damaged = |error: image::ImageError| DecodeError::Damaged(error.to_string().replace('\n', " "));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let ((width, height), decoded) = (decoder.dimensions(), decoder.total_bytes());
    if width.max(height) as usize > MAX_SIDE || decoded > MAX_DECODED_BYTES {
        return Err(DecodeError::TooLarge {
            width,
            height,
            bytes: decoded,
        });
    }
    let orientation = decoder.orientation().map_err(damaged)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
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

/// Pillow's `convert("RGB")`. Its way with 16-bit grey is peculiar (values over 255 are cut off, not scaled), and kept:
/// a set of such images looks the same to both programs, and should be scaled before it is used with either.
fn to_rgb8(image: DynamicImage) -> RgbImage8 {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = match image {
        DynamicImage::ImageRgb8(rgb) => rgb.into_raw(),
        DynamicImage::ImageLuma8(grey) => grey.into_raw().into_iter().flat_map(|v| [v; 3]).collect(),
        DynamicImage::ImageLumaA8(grey) => grey.pixels().flat_map(|p| [p.0[0]; 3]).collect(),
        DynamicImage::ImageRgba8(rgba) => rgba.pixels().flat_map(|p| [p.0[0], p.0[1], p.0[2]]).collect(),
        DynamicImage::ImageLuma16(grey) => grey
            .into_raw()
            .into_iter()
            .flat_map(|v| [v.min(255) as u8; 3])
            .collect(),
        // The other 16-bit forms Pillow reads by their high byte.
        DynamicImage::ImageLumaA16(grey) => grey.pixels().flat_map(|p| [(p.0[0] >> 8) as u8; 3]).collect(),
        DynamicImage::ImageRgb16(rgb) => rgb.into_raw().into_iter().map(|v| (v >> 8) as u8).collect(),
        DynamicImage::ImageRgba16(rgba) => rgba
            .pixels()
            .flat_map(|p| [p.0[0], p.0[1], p.0[2]].map(|v| (v >> 8) as u8))
            .collect(),
        other => other.into_rgb8().into_raw(),
    };
    RgbImage8::new(width, height, pixels)
}

/// One channel: grey as it is, its 16-bit form as in [`to_rgb8`]; colours by Pillow's L.
fn to_grey8(image: DynamicImage) -> Image8 {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = match image {
        DynamicImage::ImageLuma8(grey) => grey.into_raw(),
        DynamicImage::ImageLumaA8(grey) => grey.pixels().map(|p| p.0[0]).collect(),
        DynamicImage::ImageLuma16(grey) => grey.into_raw().into_iter().map(|v| v.min(255) as u8).collect(),
        DynamicImage::ImageLumaA16(grey) => grey.pixels().map(|p| (p.0[0] >> 8) as u8).collect(),
        other => to_rgb8(other).pixels().chunks_exact(3).map(luma).collect(),
    };
    Image8::Planar(PlanarImage8::new(1, width, height, pixels))
}

/// Four channels: the colours of [`to_rgb8`] with the file's alpha.
fn to_rgba8(image: DynamicImage) -> Image8 {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let alpha: Vec<u8> = match &image {
        DynamicImage::ImageLumaA8(grey) => grey.pixels().map(|p| p.0[1]).collect(),
        DynamicImage::ImageRgba8(rgba) => rgba.pixels().map(|p| p.0[3]).collect(),
        DynamicImage::ImageLumaA16(grey) => grey.pixels().map(|p| (p.0[1] >> 8) as u8).collect(),
        DynamicImage::ImageRgba16(rgba) => rgba.pixels().map(|p| (p.0[3] >> 8) as u8).collect(),
        _ => vec![255; width * height],
    };
    let rgb = to_rgb8(image);
    let plane = |channel: usize| rgb.pixels().iter().skip(channel).step_by(3).copied();
    let pixels = plane(0).chain(plane(1)).chain(plane(2)).chain(alpha).collect();
    Image8::Planar(PlanarImage8::new(4, width, height, pixels))
}

/// Whether the segments of a JPEG lead to an end-of-image marker. The decoder itself accepts a file cut anywhere in the
/// coded data. An end marker inside a segment (the thumbnail in EXIF data) does not count.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[first, marker]) = bytes.get(at..at + 2) {
        match (first, marker) {
            (0xFF, 0xD9) => return true,
            // Fill byte before a marker; restart markers and TEM have no length.
            (0xFF, 0xFF) => at += 1,
            (0xFF, 0x01 | 0xD0..=0xD8) => at += 2,
            (0xFF, 0x02..) => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else {
                    return false;
                };
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
            }
            // Coded data (or rubbish the decoder will judge): up to the next marker.
            _ => {
                at += bytes[at + 1..]
                    .iter()
                    .position(|&byte| byte == 0xFF)
                    .map_or(bytes.len(), |next| next + 1)
            }
        }
    }
    false
}

/// Whether every palette of a PNG is made of whole colours of three bytes. `png` 0.18.1 panics on others (its issue 694,
/// mended after that release); found by fuzzing.
fn png_palettes_are_whole(bytes: &[u8]) -> bool {
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
