//! Conversion of every kind of decoded image to 8-bit grey, RGB or RGBA, as by Pillow's `convert`.
//!
//! This file must not decode, and must not guess what alpha or 16 bits were meant for: it does what Pillow does.

use image::DynamicImage;

use crate::color::luma;
use crate::{Image8, PlanarImage8, RgbImage8};

/// Pillow's `convert("RGB")`. Its treatment of 16-bit grey is peculiar (values over 255 are clipped, not scaled) and is
/// reproduced: such images look the same to both programs, and should be scaled before they are used with either.
pub(crate) fn to_rgb8(image: DynamicImage) -> RgbImage8 {
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
        // Pillow reads the other 16-bit formats by their high byte.
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

/// Converts to one channel: 8-bit grey unchanged, 16-bit grey as in [`to_rgb8`], colours by Pillow's L.
pub(crate) fn to_grey8(image: DynamicImage) -> Image8 {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = match image {
        DynamicImage::ImageLuma8(grey) => grey.into_raw(),
        DynamicImage::ImageLumaA8(grey) => grey.pixels().map(|p| p.0[0]).collect(),
        DynamicImage::ImageLuma16(grey) => grey.into_raw().into_iter().map(|v| v.min(255) as u8).collect(),
        DynamicImage::ImageLumaA16(grey) => grey.pixels().map(|p| (p.0[0] >> 8) as u8).collect(),
        other => to_rgb8(other)
            .pixels()
            .chunks_exact(3)
            .map(|p| luma(p[0], p[1], p[2]))
            .collect(),
    };
    Image8::Planar(PlanarImage8::new(1, width, height, pixels))
}

/// Converts to four channels: the colours of [`to_rgb8`] with the file's alpha.
pub(crate) fn to_rgba8(image: DynamicImage) -> Image8 {
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
