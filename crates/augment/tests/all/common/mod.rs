//! Helpers of the golden tests: two images computed by formulas and a checksum, each one line in Python too.
//!
//! ```python
//! import numpy as np, torchvision.transforms as T, torchvision.transforms.functional as F
//! from PIL import Image, ImageFilter, ImageOps
//! def image(w, h, f): return Image.fromarray(np.array([[[f(x, y, c) for c in range(3)] for x in range(w)] for y in range(h)], np.uint8))
//! def formula(w, h): return image(w, h, lambda x, y, c: (x*37 + y*61 + c*89 + x*y*13) % 256)
//! def smooth(w, h): return image(w, h, lambda x, y, c: int(127.5 + 127.5 * np.sin(x*.11 + y*.07 + c*2)))
//! def check(im):
//!     a = np.asarray(im, np.uint8).reshape(-1).astype(np.uint64); k = np.arange(a.size, dtype=np.uint64) % np.uint64(65521) + np.uint64(1)
//!     return int((a * k).sum())
//! BICUBIC = T.InterpolationMode.BICUBIC
//! ```
//! The numbers were computed with Pillow 13.0 and torchvision 0.29.

// Each test binary uses only some of these helpers.
#![allow(dead_code)]

use barlow_augment::{PlanarImage8, RgbImage8, RgbPlanes};

/// An image full of edges: a wrong index anywhere shows.
pub fn formula(width: usize, height: usize) -> RgbImage8 {
    RgbImage8::from_fn(width, height, |x, y| {
        [0, 1, 2].map(|c| ((x * 37 + y * 61 + c * 89 + x * y * 13) % 256) as u8)
    })
}

/// A smooth image: here rounding decides the last bit.
pub fn smooth(width: usize, height: usize) -> RgbImage8 {
    RgbImage8::from_fn(width, height, |x, y| {
        [0.0, 1.0, 2.0].map(|c: f64| (127.5 + 127.5 * (x as f64 * 0.11 + y as f64 * 0.07 + c * 2.0).sin()) as u8)
    })
}

/// `sum((k % 65521 + 1) * byte[k])`: catches any changed byte and most swaps.
pub fn check(image: &RgbImage8) -> u64 {
    image
        .pixels()
        .iter()
        .enumerate()
        .map(|(k, &byte)| (k as u64 % 65521 + 1) * u64::from(byte))
        .sum()
}

/// A copy of the image with its colours changed by `operation`.
pub fn changed(image: &RgbImage8, operation: impl FnOnce(RgbPlanes<'_>)) -> RgbImage8 {
    changed_planes(image, |planes| operation(planes.rgb_planes().unwrap()))
}

/// A copy of the image changed plane by plane.
pub fn changed_planes(image: &RgbImage8, operation: impl FnOnce(&mut PlanarImage8)) -> RgbImage8 {
    let mut planes = PlanarImage8::from(image);
    operation(&mut planes);
    RgbImage8::from(&planes)
}

/// The JPEG with an EXIF segment that holds only the orientation tag (TIFF 6.0, tag 0x0112, one SHORT).
pub fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut segment =
        b"\xFF\xE1\x00\x22Exif\0\0MM\x00\x2A\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00".to_vec();
    segment.extend([orientation, 0, 0, 0, 0, 0, 0]);
    [&jpeg[..2], &segment, &jpeg[2..]].concat()
}
