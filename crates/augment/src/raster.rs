//! Decoder of WebP, BMP, TIFF, GIF, PNM and QOI through the `image` crate.
//!
//! Of several frames or pages the first is read. This file must not know JPEG and PNG, which have their own.

use std::borrow::Cow;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use crate::decode_error::{check_size, damaged, one_line};
use crate::gif_frame::first_frame_exceeds_screen;
use crate::orientation::Metadata;
use crate::tiff_palette::split_palette;
use crate::{DecodeError, MAX_DECODED_BYTES};

/// Decodes a file of `format`. Also returns the orientation from its metadata.
///
/// # Errors
/// [`DecodeError`], for anything that is not a whole image within the limits.
pub(crate) fn decode(bytes: &[u8], format: ImageFormat) -> Result<(DynamicImage, Orientation), DecodeError> {
    if format == ImageFormat::WebP && riff_bytes(bytes) > bytes.len() as u64 {
        return Err(DecodeError::Truncated);
    }
    if format == ImageFormat::Gif && first_frame_exceeds_screen(bytes) {
        return Err(DecodeError::UnsupportedKind(
            "a GIF whose first frame is larger than its screen".to_owned(),
        ));
    }
    let (bytes, palette) = match format {
        ImageFormat::Tiff => split_palette(bytes),
        _ => (Cow::Borrowed(bytes), None),
    };
    let bytes = &*bytes;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(damaged("its size is zero"));
    }
    let as_rgb = 3 * u64::from(width) * u64::from(height);
    check_size(width as usize, height as usize, decoder.total_bytes().max(as_rgb))?;
    let orientation = match format {
        ImageFormat::WebP => {
            let mut metadata = Metadata::default();
            if let Some(exif) = decoder.exif_metadata().ok().flatten() {
                metadata.set_exif(exif);
            }
            if let Some(xmp) = decoder.xmp_metadata().ok().flatten() {
                metadata.set_xmp(xmp);
            }
            metadata.orientation()
        }
        ImageFormat::Tiff => {
            let mut metadata = Metadata::default();
            // The file is what EXIF data imitate.
            metadata.set_exif(bytes);
            metadata.orientation()
        }
        _ => Orientation::NoTransforms,
    };
    let image = DynamicImage::from_decoder(decoder).map_err(refused)?;
    let image = match palette {
        Some(palette) => palette.apply(image),
        None => image,
    };
    Ok((image, orientation))
}

/// Bytes of a WebP file, as its header states.
fn riff_bytes(bytes: &[u8]) -> u64 {
    match bytes {
        [_, _, _, _, a, b, c, d, ..] => 8 + u64::from(u32::from_le_bytes([*a, *b, *c, *d])),
        _ => 8,
    }
}

/// The decoder's reason: damage, or a kind of file that it does not read.
fn refused(error: ImageError) -> DecodeError {
    match error {
        ImageError::Unsupported(error) => DecodeError::UnsupportedKind(one_line(error)),
        error => damaged(error),
    }
}
