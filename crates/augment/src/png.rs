//! PNG decoder: bytes to pixels, with the metadata that state an orientation.

use std::io::{Cursor, Read};

use flate2::Crc;
use flate2::read::ZlibDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use crate::decode_error::{check_size, damaged};
use crate::orientation::Metadata;
use crate::{DecodeError, MAX_DECODED_BYTES};

/// Largest text that is inflated, in bytes: EXIF and XMP data are smaller.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// Decodes a PNG. Also returns the orientation from its metadata.
///
/// # Errors
/// [`DecodeError`], for anything that is not a whole PNG within the limits.
pub(crate) fn decode(bytes: &[u8]) -> Result<(DynamicImage, Orientation), DecodeError> {
    if chunks(bytes).any(|chunk| chunk.kind == b"PLTE" && !chunk.body.len().is_multiple_of(3)) {
        // `png` 0.18.1 panics on a palette that does not consist of three-byte colours (its issue 694, fixed after that
        // release); found by fuzzing.
        return Err(DecodeError::Damaged("its palette is not a list of colours".into()));
    }
    if chunks(bytes)
        .take_while(|chunk| chunk.kind != b"IDAT")
        .any(|chunk| !chunk.is_whole())
    {
        // `png` reads on after a damaged chunk that is not needed for the pixels; Pillow does not.
        return Err(damaged(
            "a chunk before the pixels is cut off or has the wrong checksum",
        ));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    // A PNG of one bit per pixel is small until it is expanded to RGB.
    let as_rgb = 3 * u64::from(width) * u64::from(height);
    check_size(width as usize, height as usize, decoder.total_bytes().max(as_rgb))?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    let is_grey = chunks(bytes)
        .next()
        .is_some_and(|header| header.body.get(9) == Some(&0));
    if let (true, DynamicImage::ImageLumaA16(with_alpha)) = (is_grey, &image) {
        // 16-bit grey with a transparent value: Pillow reads it as without, and not as 16-bit grey with an alpha channel.
        let grey = with_alpha.pixels().map(|pixel| pixel.0[0]).collect();
        image = image::ImageBuffer::from_raw(width, height, grey)
            .map(DynamicImage::ImageLuma16)
            .ok_or_else(|| damaged("its pixels do not fill its size"))?;
    }
    Ok((image, metadata(bytes).orientation()))
}

/// One chunk. One that the bytes cut off is the last, with the body that is there.
struct Chunk<'a> {
    kind: &'a [u8; 4],
    body: &'a [u8],
    checksum: Option<u32>,
}

impl Chunk<'_> {
    fn is_whole(&self) -> bool {
        let mut crc = Crc::new();
        crc.update(self.kind);
        crc.update(self.body);
        self.checksum == Some(crc.sum())
    }
}

fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&[a, b, c, d, ref kind @ ..], after) = rest.split_first_chunk::<8>()?;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let (body, after) = after.split_at(length.min(after.len()));
        rest = after.get(4..).unwrap_or_default();
        Some(Chunk {
            kind: kind.first_chunk()?,
            body,
            checksum: after.first_chunk().map(|checksum| u32::from_be_bytes(*checksum)),
        })
    })
}

/// The metadata of all chunks, as Pillow reads them: `eXIf`, or EXIF data as hexadecimal text, and XMP as text.
fn metadata(bytes: &[u8]) -> Metadata<'_> {
    let mut metadata = Metadata::default();
    let mut hexadecimal = None;
    for chunk in chunks(bytes) {
        let Chunk { kind, body, .. } = chunk;
        if kind == b"IDAT" {
            continue;
        }
        if !chunk.is_whole() {
            break;
        }
        let Some(zero) = memchr::memchr(0, body).filter(|_| kind != b"eXIf") else {
            if kind == b"eXIf" {
                metadata.set_exif(body);
            }
            continue;
        };
        let (key, value) = (&body[..zero], &body[zero + 1..]);
        let text = match (kind, key) {
            (b"tEXt", b"exif") => {
                metadata.set_exif(value);
                continue;
            }
            (b"tEXt", b"Raw profile type exif" | b"XML:com.adobe.xmp") => value.to_vec(),
            (b"zTXt", b"Raw profile type exif" | b"XML:com.adobe.xmp") => inflated(value.get(1..).unwrap_or_default()),
            (b"iTXt", b"Raw profile type exif" | b"XML:com.adobe.xmp") => international(value).unwrap_or_default(),
            _ => continue,
        };
        if key == b"XML:com.adobe.xmp" {
            metadata.set_xmp(text);
        } else {
            hexadecimal = Some(text);
        }
    }
    if let Some(exif) = hexadecimal.filter(|_| !metadata.has_exif()) {
        metadata.set_exif(from_hexadecimal(&exif));
    }
    metadata
}

/// What follows the key of an `iTXt` chunk: whether it is compressed, how, language, translated key, text.
fn international(value: &[u8]) -> Option<Vec<u8>> {
    let (&[is_compressed, method], rest) = value.split_first_chunk::<2>()?;
    let text = rest.splitn(3, |&byte| byte == 0).nth(2)?;
    match (is_compressed, method) {
        (0, _) => Some(text.to_vec()),
        (_, 0) => Some(inflated(text)),
        _ => None,
    }
}

/// Inflates text; nothing if it is damaged or too long.
fn inflated(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let read = ZlibDecoder::new(text).take(MAX_TEXT_BYTES + 1).read_to_end(&mut out);
    match read {
        Ok(length) if length as u64 <= MAX_TEXT_BYTES => out,
        _ => Vec::new(),
    }
}

/// The bytes of ImageMagick's form: an empty line, the kind, the length, and lines of hexadecimal digits.
fn from_hexadecimal(text: &[u8]) -> Vec<u8> {
    let lines = text.split(|&byte| byte == b'\n').skip(3);
    let digits: Option<Vec<u8>> = lines
        .flatten()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|&byte| Some(char::from(byte).to_digit(16)? as u8))
        .collect();
    let digits = digits.unwrap_or_default();
    digits
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[high, low]| high << 4 | low)
        .collect()
}
