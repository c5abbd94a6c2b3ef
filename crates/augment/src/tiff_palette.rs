//! TIFF with a palette, which the `image` crate does not read: decoded as grey, and the palette applied.

use std::borrow::Cow;

use image::{DynamicImage, RgbImage};

use crate::tiff_directory::TiffDirectory;

const BITS: u16 = 258;
const PHOTOMETRIC: u16 = 262;
const COLOUR_MAP: u16 = 320;
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u32 = 3;
const SHORT: u16 = 3;
/// Colours of a palette of eight bits.
const COLOURS: usize = 256;

/// The colours of a TIFF's palette.
pub(crate) struct TiffPalette([[u8; 3]; COLOURS]);

/// The bytes of a TIFF for the `image` crate, and its palette if its pixels are 8-bit indices.
pub(crate) fn split_palette(bytes: &[u8]) -> (Cow<'_, [u8]>, Option<TiffPalette>) {
    match grey_and_palette(bytes) {
        Some((grey, palette)) => (Cow::Owned(grey), Some(palette)),
        None => (Cow::Borrowed(bytes), None),
    }
}

fn grey_and_palette(bytes: &[u8]) -> Option<(Vec<u8>, TiffPalette)> {
    let directory = TiffDirectory::first(bytes)?;
    if directory.number(PHOTOMETRIC) != Some(PALETTE) || directory.number(BITS) != Some(8) {
        return None;
    }
    let map = directory.entries().find(|entry| entry.tag == COLOUR_MAP)?;
    if map.kind != SHORT || map.count as usize != 3 * COLOURS {
        return None;
    }
    let first = directory.u32_at(map.at)? as usize;
    let mut colours = [[0; 3]; COLOURS];
    for (index, colour) in colours.iter_mut().enumerate() {
        for (channel, value) in colour.iter_mut().enumerate() {
            // Pillow takes the high byte.
            *value = (directory.u16_at(first.checked_add(2 * (channel * COLOURS + index))?)? >> 8) as u8;
        }
    }
    let photometric = directory
        .entries()
        .find(|entry| entry.tag == PHOTOMETRIC && entry.kind == SHORT)?;
    let mut grey = bytes.to_vec();
    grey.get_mut(photometric.at..photometric.at + 2)?
        .copy_from_slice(&directory.short(BLACK_IS_ZERO));
    Some((grey, TiffPalette(colours)))
}

impl TiffPalette {
    /// The image whose indices were decoded as grey.
    pub(crate) fn apply(&self, indices: DynamicImage) -> DynamicImage {
        let DynamicImage::ImageLuma8(indices) = indices else {
            return indices;
        };
        let (width, height) = indices.dimensions();
        let pixels = indices.iter().flat_map(|&index| self.0[usize::from(index)]).collect();
        RgbImage::from_raw(width, height, pixels).map_or(DynamicImage::ImageLuma8(indices), DynamicImage::ImageRgb8)
    }
}
