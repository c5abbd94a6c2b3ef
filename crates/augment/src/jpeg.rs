//! JPEG decoder: bytes to pixels.
//!
//! The `image` crate uses the same decoder, but copies the file, reads the headers three times and builds the code tables each
//! time. This file must not know which channels the caller wants in the end.

use image::DynamicImage;
use image::metadata::Orientation;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::DecodeError;
use crate::decode_error::{check_size, damaged};

/// Decodes a JPEG to RGB, a grey one to grey if `keep_grey`. CMYK and YCCK are converted to RGB as by Pillow. Also
/// returns the orientation from the EXIF data.
///
/// # Errors
/// [`DecodeError`], for anything that is not a whole JPEG within the limits.
pub(crate) fn decode(bytes: &[u8], keep_grey: bool) -> Result<(DynamicImage, Orientation), DecodeError> {
    if !is_whole(bytes) {
        return Err(DecodeError::Truncated);
    }
    // The decoder's own limit is off: its error would not contain the numbers.
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) = decoder.dimensions().ok_or_else(|| damaged("no size"))?;
    let is_grey = keep_grey && decoder.input_colorspace() == Some(ColorSpace::Luma);
    if is_grey {
        decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::Luma));
    }
    let size = width * height * if is_grey { 1 } else { 3 };
    check_size(width, height, size as u64)?;
    let exif = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let mut pixels = vec![0; size];
    decoder.decode_into(&mut pixels).map_err(damaged)?;
    let (width, height) = (width as u32, height as u32);
    let image = if is_grey {
        image::GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8)
    } else {
        image::RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8)
    };
    let image = image.ok_or_else(|| damaged("its pixels do not fill its size"))?;
    Ok((image, exif.unwrap_or(Orientation::NoTransforms)))
}

/// Whether the segments of a JPEG lead to an end-of-image marker. The decoder itself accepts a file cut anywhere in the
/// coded data. An end marker inside a segment (the thumbnail in EXIF data) does not count.
fn is_whole(bytes: &[u8]) -> bool {
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
            // Coded data (or garbage, which is left to the decoder): up to the next marker.
            _ => at += memchr::memchr(0xFF, &bytes[at + 1..]).map_or(bytes.len(), |next| next + 1),
        }
    }
    false
}
