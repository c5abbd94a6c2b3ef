//! The mask of an object in a view of its image: polygons that were moved with it, or the annotated pixels and how the view sees them.

use std::sync::Arc;

use crate::boxes::Corners;
use crate::masks::{MaskTarget, pixel_target, polygon_target};

/// The mask of an object, in pixels of a view.
#[derive(Clone, Debug, PartialEq)]
pub enum Outline {
    /// Polygons, each `[x1, y1, …]`.
    Polygons(Vec<Vec<f64>>),
    /// Pixels of the original image.
    Pixels(PixelMask),
}

/// The annotated pixels of an object, which are never resized: a region of the view is looked up in the original image.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelMask {
    mask: Arc<[bool]>,
    /// Height and width of the original image.
    size: [usize; 2],
    /// Height and width of the view.
    view: [usize; 2],
    flipped: bool,
}

impl PixelMask {
    /// The mask of an image of `size`, row by row, in a view of the same size.
    ///
    /// # Panics
    /// If there is not one value per pixel.
    pub fn new(mask: Vec<bool>, size: [usize; 2]) -> Self {
        assert_eq!(mask.len(), size[0] * size[1], "a mask of {size:?}");
        Self {
            mask: mask.into(),
            size,
            view: size,
            flipped: false,
        }
    }
}

impl Outline {
    /// The outline after its image was resized from one size (height, width) to another and, if asked for, flipped from left to right.
    #[must_use]
    pub fn resized(&self, from: [usize; 2], to: [usize; 2], flipped: bool) -> Self {
        let factor = |axis: usize| to[axis] as f64 / from[axis] as f64;
        let (down, across, width) = (factor(0), factor(1), to[1] as f64);
        match self {
            Self::Polygons(polygons) => {
                let moved = polygons.iter().map(|polygon| {
                    let numbers = polygon.iter().enumerate().map(|(at, value)| match at % 2 {
                        0 if flipped => width - value * across,
                        0 => value * across,
                        _ => value * down,
                    });
                    numbers.collect()
                });
                Self::Polygons(moved.collect())
            }
            Self::Pixels(pixels) => Self::Pixels(PixelMask {
                mask: Arc::clone(&pixels.mask),
                view: to,
                flipped: pixels.flipped != flipped,
                ..*pixels
            }),
        }
    }

    /// The target of a region: the part of the mask within its box, `bins` × `bins` values row by row. `None` if a polygon cannot be filled,
    /// such as one far outside a tiny box.
    pub fn target(&self, corners: &Corners, bins: usize) -> Option<MaskTarget> {
        match self {
            Self::Polygons(polygons) => polygon_target(polygons, corners, bins).ok(),
            Self::Pixels(pixels) => {
                let [x1, y1, x2, y2] = corners.map(f64::from);
                let width = pixels.view[1] as f64;
                let [x1, x2] = if pixels.flipped {
                    [width - x2, width - x1]
                } else {
                    [x1, x2]
                };
                let [down, across] = [0, 1].map(|axis| pixels.size[axis] as f64 / pixels.view[axis] as f64);
                let original = [x1 * across, y1 * down, x2 * across, y2 * down];
                let mut target = pixel_target(&pixels.mask, pixels.size, &original, bins);
                if pixels.flipped {
                    target.chunks_exact_mut(bins).for_each(<[bool]>::reverse);
                }
                Some(target)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_and_polygons_of_the_same_object_have_the_same_target() {
        let size = [40, 60];
        let inside = |at: usize| (10..30).contains(&(at % 60)) && (8..24).contains(&(at / 60));
        let pixels = Outline::Pixels(PixelMask::new((0..40 * 60).map(inside).collect(), size));
        let polygons = Outline::Polygons(vec![vec![10.0, 8.0, 30.0, 8.0, 30.0, 24.0, 10.0, 24.0]]);
        // Twice as large and flipped, the object is at 60..100 x 16..48 of 80 x 120. No edge is at the middle of a bin.
        for (to, flipped, corners) in [
            (size, false, [9.5, 7.5, 37.5, 35.5]),
            ([80, 120], true, [45.0, 15.0, 101.0, 71.0]),
        ] {
            let [from_pixels, from_polygons] =
                [&pixels, &polygons].map(|outline| outline.resized(size, to, flipped).target(&corners, 14).unwrap());
            assert_eq!(from_pixels, from_polygons, "{to:?} {flipped}");
            let on = from_pixels.iter().filter(|&&on| on).count();
            assert_eq!(on, 80, "10 x 8 of 14 x 14 bins");
        }
        let twice = pixels.resized(size, [80, 120], true).resized([80, 120], size, true);
        assert_eq!(twice, pixels);
    }
}
