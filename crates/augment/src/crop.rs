//! Crop boxes of views: torchvision's `RandomResizedCrop.get_params` and the centre crop.
//!
//! This file only computes boxes, in whole pixels; `resize` crops and resizes.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::rng::uniform;

/// Boxes that are drawn before falling back to the centre crop (torchvision's number).
const TRIES: usize = 10;

/// A box in whole pixels, inside the image it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CropBox {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl CropBox {
    /// The box that covers a whole image.
    #[must_use]
    pub fn whole(width: usize, height: usize) -> Self {
        Self {
            left: 0,
            top: 0,
            width,
            height,
        }
    }

    /// torchvision's `center_crop` of `crop_width` x `crop_height`: an odd margin is split by rounding half to even.
    ///
    /// # Panics
    /// If the box is larger than the image.
    #[must_use]
    pub fn centre(width: usize, height: usize, crop_width: usize, crop_height: usize) -> Self {
        assert!(
            crop_width <= width && crop_height <= height,
            "a centre crop of {crop_width}x{crop_height} does not fit an image of {width}x{height}"
        );
        let margin = |side: usize, crop: usize| ((side - crop) as f64 / 2.0).round_ties_even() as usize;
        Self {
            left: margin(width, crop_width),
            top: margin(height, crop_height),
            width: crop_width,
            height: crop_height,
        }
    }

    /// The smallest box that covers this one and another.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let (left, top) = (self.left.min(other.left), self.top.min(other.top));
        Self {
            left,
            top,
            width: (self.left + self.width).max(other.left + other.width) - left,
            height: (self.top + self.height).max(other.top + other.height) - top,
        }
    }

    /// Whether the box has pixels and lies inside an image of this size.
    #[must_use]
    pub fn fits(&self, width: usize, height: usize) -> bool {
        let inside = |start: usize, length: usize, side: usize| length > 0 && start <= side && length <= side - start;
        inside(self.left, self.width, width) && inside(self.top, self.height, height)
    }
}

/// Draws the box of a random resized crop: an area uniform in `scale` (fractions of the image's), an aspect ratio
/// (width / height) log-uniform in `ratio`, any position. After ten boxes that do not fit, the largest centred box
/// whose ratio lies in `ratio`.
pub fn draw_crop(rng: &mut ChaCha8Rng, width: usize, height: usize, scale: [f64; 2], ratio: [f64; 2]) -> CropBox {
    let area = (width * height) as f64;
    let [log_low, log_high] = ratio.map(f64::ln);
    for _ in 0..TRIES {
        let target = area * uniform(rng, scale[0], scale[1]);
        let aspect = uniform(rng, log_low, log_high).exp();
        // Python's round(): half to even.
        let crop_width = (target * aspect).sqrt().round_ties_even() as usize;
        let crop_height = (target / aspect).sqrt().round_ties_even() as usize;
        if (1..=width).contains(&crop_width) && (1..=height).contains(&crop_height) {
            // u64 and not usize: the draws must be the same on a 32-bit machine.
            let top = rng.random_range(0..=(height - crop_height) as u64) as usize;
            let left = rng.random_range(0..=(width - crop_width) as u64) as usize;
            return CropBox {
                left,
                top,
                width: crop_width,
                height: crop_height,
            };
        }
    }
    fallback(width, height, ratio)
}

/// The centred box of the whole image, shortened along one side where its ratio is not allowed.
fn fallback(width: usize, height: usize, ratio: [f64; 2]) -> CropBox {
    let image_ratio = width as f64 / height as f64;
    let (mut crop_width, mut crop_height) = (width, height);
    if image_ratio < ratio[0] {
        crop_height = ((width as f64 / ratio[0]).round_ties_even() as usize).clamp(1, height);
    } else if image_ratio > ratio[1] {
        crop_width = ((height as f64 * ratio[1]).round_ties_even() as usize).clamp(1, width);
    }
    CropBox {
        left: (width - crop_width) / 2,
        top: (height - crop_height) / 2,
        width: crop_width,
        height: crop_height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyed_rng;

    #[test]
    fn boxes_lie_inside_and_have_area_and_ratio_as_asked() {
        let (width, height) = (101, 67);
        let mut areas = Vec::new();
        for index in 0..3000 {
            let mut rng = keyed_rng(1, 0, index, 0);
            let b = draw_crop(&mut rng, width, height, [0.08, 1.0], [0.75, 4.0 / 3.0]);
            assert!(
                b.width > 0 && b.height > 0 && b.left + b.width <= width && b.top + b.height <= height,
                "{b:?}"
            );
            let ratio = b.width as f64 / b.height as f64;
            // Rounding to whole pixels changes the ratio of the smallest box (about 20 pixels) by up to 5 %.
            assert!((0.71..1.41).contains(&ratio), "{b:?}");
            areas.push((b.width * b.height) as f64 / (width * height) as f64);
        }
        assert!(areas.iter().all(|area| (0.07..=1.0).contains(area)));
        // Large boxes rarely fit a 3:2 image and are drawn again, so the mean lies well below that of U[.08, 1].
        // Mean area of 20,000 RandomResizedCrop.get_params(Image.new("RGB", (101, 67)), [.08, 1], [3/4, 4/3]): 0.393
        let mean = areas.iter().sum::<f64>() / areas.len() as f64;
        assert!((mean - 0.393).abs() < 0.015, "mean area {mean}");
    }

    #[test]
    fn a_box_that_never_fits_falls_back_to_the_centre() {
        let draw = |width, height| draw_crop(&mut keyed_rng(0, 0, 0, 0), width, height, [0.9, 1.0], [0.75, 4.0 / 3.0]);
        // torchvision: RandomResizedCrop.get_params(Image.new("RGB", (200, 20)), [.9, 1], [3/4, 4/3]) = (0, 86, 20, 27)
        assert_eq!(
            draw(200, 20),
            CropBox {
                left: 86,
                top: 0,
                width: 27,
                height: 20
            }
        );
        // ... Image.new("RGB", (20, 200)) = (86, 0, 27, 20)
        assert_eq!(
            draw(20, 200),
            CropBox {
                left: 0,
                top: 86,
                width: 20,
                height: 27
            }
        );
        assert_eq!(draw(1, 1), CropBox::whole(1, 1));
    }

    #[test]
    fn the_centre_crop_rounds_an_odd_margin_half_to_even() {
        // torchvision: F.center_crop(Image (7, 9), (4, 4)) takes rows 2..6, columns 2..6 (2.5 -> 2, 1.5 -> 2).
        assert_eq!(
            CropBox::centre(7, 9, 4, 4),
            CropBox {
                left: 2,
                top: 2,
                width: 4,
                height: 4
            }
        );
        assert_eq!(CropBox::centre(5, 5, 5, 5), CropBox::whole(5, 5));
    }

    #[test]
    #[should_panic(expected = "a centre crop of 6x6 does not fit an image of 5x9")]
    fn a_centre_crop_larger_than_the_image_panics_with_both_sizes() {
        let _ = CropBox::centre(5, 9, 6, 6);
    }
}
