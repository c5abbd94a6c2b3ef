//! Orientation of an image from its metadata, as Pillow's `ImageOps.exif_transpose` finds it: in EXIF data, else in XMP.
//!
//! Metadata that cannot be read turn nothing. This file must not know image formats.

use std::borrow::Cow;

use image::metadata::Orientation;

use crate::CropBox;
use crate::tiff_directory::TiffDirectory;

/// The tag of TIFF 6.0.
const TAG: u16 = 0x0112;
const EXIF_START: &[u8] = b"Exif\0\0";

/// EXIF and XMP data of a file.
#[derive(Default)]
pub(crate) struct Metadata<'a> {
    exif: Option<Cow<'a, [u8]>>,
    xmp: Option<Cow<'a, [u8]>>,
}

impl<'a> Metadata<'a> {
    /// Adds a piece of EXIF data, which begins with `Exif`; a second piece continues the first.
    pub(crate) fn add_exif(&mut self, piece: &'a [u8]) {
        match &mut self.exif {
            Some(exif) => exif
                .to_mut()
                .extend_from_slice(&piece[EXIF_START.len().min(piece.len())..]),
            None => self.exif = Some(piece.into()),
        }
    }

    /// Replaces the EXIF data.
    pub(crate) fn set_exif(&mut self, exif: impl Into<Cow<'a, [u8]>>) {
        self.exif = Some(exif.into());
    }

    /// Whether there are EXIF data.
    pub(crate) fn has_exif(&self) -> bool {
        self.exif.is_some()
    }

    /// Replaces the XMP data.
    pub(crate) fn set_xmp(&mut self, xmp: impl Into<Cow<'a, [u8]>>) {
        self.xmp = Some(xmp.into());
    }

    /// The orientation that the metadata state; none if they do not.
    pub(crate) fn orientation(&self) -> Orientation {
        let stated = match self.exif.as_deref().map_or(Found::Nothing, in_exif) {
            Found::Nothing => self.xmp.as_deref().and_then(in_xmp),
            Found::Value(value) => u8::try_from(value).ok(),
        };
        let orientation = stated.and_then(Orientation::from_exif);
        orientation.unwrap_or(Orientation::NoTransforms)
    }
}

/// What EXIF data say of the orientation.
enum Found {
    Nothing,
    Value(i64),
}

/// The tag in the first directory of EXIF data; of several the first.
fn in_exif(mut exif: &[u8]) -> Found {
    for _ in 0..2 {
        exif = exif.strip_prefix(EXIF_START).unwrap_or(exif);
    }
    in_tiff(exif).unwrap_or(Found::Nothing)
}

fn in_tiff(tiff: &[u8]) -> Option<Found> {
    let directory = TiffDirectory::first(tiff)?;
    let entry = directory.entries().find(|entry| entry.tag == TAG && entry.count > 0)?;
    // What is not one whole number turns nothing, and is an answer.
    let value = match (entry.kind, entry.count) {
        // SHORT, LONG and IFD, SSHORT, SLONG.
        (3, 1) => i64::from(directory.u16_at(entry.at)?),
        (4 | 13, 1) => i64::from(directory.u32_at(entry.at)?),
        (8, 1) => i64::from(directory.u16_at(entry.at)?.cast_signed()),
        (9, 1) => i64::from(directory.u32_at(entry.at)?.cast_signed()),
        _ => -1,
    };
    Some(Found::Value(value))
}

/// The first `tiff:Orientation="N` or `tiff:Orientation>N` with a digit N.
fn in_xmp(xmp: &[u8]) -> Option<u8> {
    const NAME: &[u8] = b"tiff:Orientation";
    memchr::memmem::find_iter(xmp, NAME).find_map(|at| {
        let rest = &xmp[at + NAME.len()..];
        let value = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?;
        value
            .first()
            .filter(|digit| digit.is_ascii_digit())
            .map(|digit| digit - b'0')
    })
}

/// Width and height of an image of `width` x `height` stored pixels when it is upright.
pub(crate) fn upright_size(orientation: Orientation, width: usize, height: usize) -> (usize, usize) {
    if swaps_sides(orientation) {
        (height, width)
    } else {
        (width, height)
    }
}

/// Where a box in the upright image of `width` x `height` lies in the stored one.
pub(crate) fn stored_box(orientation: Orientation, upright: CropBox, (width, height): (usize, usize)) -> CropBox {
    let CropBox {
        left: x,
        top: y,
        width: w,
        height: h,
    } = upright;
    let (from_right, from_bottom) = (width - x - w, height - y - h);
    let (left, top) = match orientation {
        Orientation::NoTransforms => (x, y),
        Orientation::FlipHorizontal => (from_right, y),
        Orientation::Rotate180 => (from_right, from_bottom),
        Orientation::FlipVertical => (x, from_bottom),
        Orientation::Rotate90FlipH => (y, x),
        Orientation::Rotate90 => (y, from_right),
        Orientation::Rotate270FlipH => (from_bottom, from_right),
        Orientation::Rotate270 => (from_bottom, x),
    };
    let (width, height) = if swaps_sides(orientation) { (h, w) } else { (w, h) };
    CropBox {
        left,
        top,
        width,
        height,
    }
}

fn swaps_sides(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exif(start: &[u8], kind: u16, count: u32, value: &[u8; 4], is_big: bool) -> Vec<u8> {
        let two = |value: u16| {
            if is_big {
                value.to_be_bytes()
            } else {
                value.to_le_bytes()
            }
        };
        let four = |value: u32| {
            if is_big {
                value.to_be_bytes()
            } else {
                value.to_le_bytes()
            }
        };
        let head = if is_big { b"MM\0*" } else { b"II*\0" };
        [
            start,
            head,
            &four(8),
            &two(1),
            &two(TAG),
            &two(kind),
            &four(count),
            value,
            &four(0),
        ]
        .concat()
    }

    fn of(exif: &[u8], xmp: Option<&[u8]>) -> u8 {
        let mut metadata = Metadata::default();
        metadata.set_exif(exif);
        if let Some(xmp) = xmp {
            metadata.set_xmp(xmp);
        }
        metadata.orientation().to_exif()
    }

    #[test]
    fn the_tag_is_found_as_short_and_long_in_both_byte_orders() {
        for start in [&b""[..], EXIF_START, &EXIF_START.repeat(2)] {
            assert_eq!(of(&exif(start, 3, 1, &[0, 6, 0, 0], true), None), 6);
            assert_eq!(of(&exif(start, 3, 1, &[6, 0, 0, 0], false), None), 6);
            assert_eq!(of(&exif(start, 4, 1, &[0, 0, 0, 8], true), None), 8);
            assert_eq!(of(&exif(start, 4, 1, &[8, 0, 0, 0], false), None), 8);
        }
        // Two values, no such turn, a byte (which Pillow reads as a string of bytes), bytes that are no TIFF.
        assert_eq!(of(&exif(b"", 3, 2, &[0, 6, 0, 6], true), None), 1);
        assert_eq!(of(&exif(b"", 3, 1, &[0, 9, 0, 0], true), None), 1);
        assert_eq!(of(&exif(b"", 1, 1, &[6, 0, 0, 0], true), None), 1);
        assert_eq!(of(b"Exif\0\0Canon", None), 1);
        assert_eq!(of(b"II*\0\xFF\xFF\xFF\xFF", None), 1);
    }

    #[test]
    fn a_box_of_the_upright_image_is_found_in_the_stored_one() {
        let stored = image::GrayImage::from_fn(5, 3, |x, y| image::Luma([(10 * y + x) as u8]));
        for value in 1..=8 {
            let orientation = Orientation::from_exif(value).unwrap();
            let mut upright = image::DynamicImage::ImageLuma8(stored.clone());
            upright.apply_orientation(orientation);
            let size = upright_size(orientation, 5, 3);
            assert_eq!((upright.width() as usize, upright.height() as usize), size);
            for (left, top, width, height) in (0..size.0)
                .flat_map(|left| (0..size.1).map(move |top| (left, top)))
                .flat_map(|(left, top)| [(left, top, 1, 1), (left, top, size.0 - left, size.1 - top)])
            {
                let wanted = CropBox {
                    left,
                    top,
                    width,
                    height,
                };
                let found = stored_box(orientation, wanted, size);
                let [x, y, w, h] = [found.left, found.top, found.width, found.height].map(|value| value as u32);
                let mut cut = image::DynamicImage::ImageLuma8(stored.clone()).crop_imm(x, y, w, h);
                cut.apply_orientation(orientation);
                let expected = upright.crop_imm(left as u32, top as u32, width as u32, height as u32);
                assert_eq!(cut, expected, "{orientation:?} {wanted:?}");
            }
        }
    }

    #[test]
    fn xmp_answers_where_exif_does_not() {
        let attribute: &[u8] = b"<rdf tiff:Orientation=\"8\"/>";
        assert_eq!(of(b"", Some(attribute)), 8);
        assert_eq!(of(b"", Some(b"<tiff:Orientation>3</tiff:Orientation>")), 3);
        assert_eq!(
            of(b"", Some(b"tiff:Orientation tiff:Orientation>x tiff:Orientation>2")),
            2
        );
        assert_eq!(of(&exif(b"", 3, 1, &[0, 1, 0, 0], true), Some(attribute)), 1);
        assert_eq!(of(b"", Some(b"tiff:Orientation=")), 1);
    }
}
