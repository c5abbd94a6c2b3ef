//! Masks as run lengths, as COCO stores them: runs along the columns, beginning with background.
//!
//! A mask is never larger than what it was made from: no function here but [`Rle::to_mask`] allocates a value per pixel.

use super::MaskError;
use super::polygon::outline_runs;
use super::rle_string;

/// Largest number of pixels of a mask.
pub(super) const MAX_PIXELS: usize = 1 << 30;

/// A binary mask as run lengths.
///
/// The runs follow the columns from top to bottom and left to right; the first is background and may be empty, all others are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rle {
    height: u32,
    width: u32,
    runs: Vec<u32>,
}

impl Rle {
    /// From runs of background and object in turn. Empty runs are merged with their neighbours.
    ///
    /// # Errors
    /// If the runs do not fill the image, or the image is empty or too large.
    pub fn from_runs(height: usize, width: usize, runs: impl IntoIterator<Item = u64>) -> Result<Self, MaskError> {
        let [height, width] = size(height, width)?;
        let pixels = u64::from(height) * u64::from(width);
        let (mut merged, mut sum) = (vec![0u32], 0u64);
        for (at, run) in runs.into_iter().enumerate() {
            sum = sum.saturating_add(run);
            if sum > pixels {
                return Err(MaskError::Sum { sum, pixels });
            }
            if run == 0 {
                continue;
            }
            // Run `at` is background where `at` is even, and so is the last of `merged` where its length is odd.
            match (merged.len() + at) % 2 {
                1 => *merged.last_mut().expect("it begins with one run") += run as u32,
                _ => merged.push(run as u32),
            }
        }
        if sum != pixels {
            return Err(MaskError::Sum { sum, pixels });
        }
        Ok(Self {
            height,
            width,
            runs: merged,
        })
    }

    /// From the compressed string of COCO's files.
    ///
    /// # Errors
    /// If the string is damaged, or as [`Rle::from_runs`].
    pub fn from_compressed(height: usize, width: usize, text: &[u8]) -> Result<Self, MaskError> {
        Self::from_runs(height, width, rle_string::decode(text)?)
    }

    /// The union of polygons, each `[x1, y1, x2, y2, …]` in pixels, by COCO's rule: a polygon's outline is walked in steps of a fifth
    /// of a pixel.
    ///
    /// # Errors
    /// If a polygon has fewer than three points, a coordinate is not finite or out of all bounds, or the image is empty or too
    /// large.
    pub fn from_polygons(height: usize, width: usize, polygons: &[impl AsRef<[f64]>]) -> Result<Self, MaskError> {
        let [rows, columns] = size(height, width)?;
        let mut masks = Vec::with_capacity(polygons.len());
        let mut budget = super::polygon::MAX_OUTLINE;
        for polygon in polygons {
            let runs = outline_runs(polygon.as_ref(), rows, columns, &mut budget)?;
            masks.push(Self::from_runs(height, width, runs)?);
        }
        Self::union(height, width, &masks)
    }

    /// From a value per pixel, row by row.
    ///
    /// # Errors
    /// If the image is empty, too large or not as large as `mask`.
    pub fn from_mask(height: usize, width: usize, mask: &[bool]) -> Result<Self, MaskError> {
        size(height, width)?;
        let (mut runs, mut value, mut length) = (Vec::new(), false, 0u64);
        for column in 0..width {
            for row in 0..height {
                let pixel = mask.get(row * width + column).copied().unwrap_or(false);
                if pixel != value {
                    runs.push(length);
                    (value, length) = (pixel, 0);
                }
                length += 1;
            }
        }
        runs.push(length);
        if mask.len() != height * width {
            return Err(MaskError::Sum {
                sum: mask.len() as u64,
                pixels: (height * width) as u64,
            });
        }
        Self::from_runs(height, width, runs)
    }

    /// The union of masks of the same image; without any, the empty mask.
    ///
    /// # Errors
    /// If their sizes differ.
    pub fn union(height: usize, width: usize, masks: &[Self]) -> Result<Self, MaskError> {
        let pixels = size(height, width)?.map(u64::from).iter().product::<u64>();
        if let Some(other) = masks.iter().find(|mask| mask.size() != [height, width]) {
            return Err(MaskError::Mismatch {
                first: [height, width],
                second: other.size(),
            });
        }
        let Some((first, others)) = masks.split_first() else {
            return Self::from_runs(height, width, [pixels]);
        };
        let mut union = first.clone();
        for mask in others {
            let (mut runs, mut value, mut length) = (Vec::new(), false, 0u64);
            for (overlap, in_union, in_mask) in Overlay::new(&union, mask) {
                if (in_union || in_mask) != value {
                    runs.push(length);
                    (value, length) = (!value, 0);
                }
                length += u64::from(overlap);
            }
            runs.push(length);
            union = Self::from_runs(height, width, runs)?;
        }
        Ok(union)
    }

    /// Height and width in pixels.
    pub fn size(&self) -> [usize; 2] {
        [self.height as usize, self.width as usize]
    }

    /// The runs: background and object in turn.
    pub fn runs(&self) -> &[u32] {
        &self.runs
    }

    /// COCO's compressed string.
    pub fn to_compressed(&self) -> String {
        rle_string::encode(&self.runs)
    }

    /// A value per pixel, row by row.
    pub fn to_mask(&self) -> Vec<bool> {
        let [height, width] = self.size();
        let mut mask = vec![false; height * width];
        let mut at = 0;
        for (number, &run) in self.runs.iter().enumerate() {
            if number % 2 == 1 {
                (at..at + run as usize).for_each(|pixel| mask[pixel % height * width + pixel / height] = true);
            }
            at += run as usize;
        }
        mask
    }

    /// Number of pixels of the object.
    pub fn area(&self) -> u64 {
        self.runs.iter().skip(1).step_by(2).map(|&run| u64::from(run)).sum()
    }

    /// The smallest box around the object: x, y, width, height. All zero of an empty mask.
    pub fn bounds(&self) -> [f64; 4] {
        let height = u64::from(self.height);
        let (mut left, mut top, mut right, mut bottom) = (u64::MAX, u64::MAX, 0, 0);
        let mut at = 0u64;
        for (number, &run) in self.runs.iter().enumerate() {
            let run = u64::from(run);
            if number % 2 == 1 {
                let (first, last) = (at, at + run - 1);
                left = left.min(first / height);
                right = right.max(last / height);
                if first / height < last / height {
                    (top, bottom) = (0, height - 1);
                } else {
                    top = top.min(first % height);
                    bottom = bottom.max(last % height);
                }
            }
            at += run;
        }
        match left {
            u64::MAX => [0.0; 4],
            _ => [left, top, right - left + 1, bottom - top + 1].map(|side| side as f64),
        }
    }

    /// Pixels that belong to both masks.
    ///
    /// # Panics
    /// If the sizes differ.
    pub fn intersection(&self, other: &Self) -> u64 {
        assert_eq!(self.size(), other.size(), "masks of the same image");
        let both = Overlay::new(self, other).filter(|&(_, own, others)| own && others);
        both.map(|(length, ..)| u64::from(length)).sum()
    }
}

/// The parts into which the runs of two masks of the same size divide the image: length, and whether each mask covers it.
struct Overlay<'a> {
    runs: [&'a [u32]; 2],
    next: [usize; 2],
    rest: [u32; 2],
}

impl<'a> Overlay<'a> {
    fn new(first: &'a Rle, second: &'a Rle) -> Self {
        Self {
            runs: [&first.runs, &second.runs],
            next: [1, 1],
            rest: [first.runs[0], second.runs[0]],
        }
    }
}

impl Iterator for Overlay<'_> {
    type Item = (u32, bool, bool);

    fn next(&mut self) -> Option<Self::Item> {
        for mask in 0..2 {
            // Only a first run is empty, so one step suffices.
            if self.rest[mask] == 0 {
                self.rest[mask] = *self.runs[mask].get(self.next[mask])?;
                self.next[mask] += 1;
            }
        }
        let length = self.rest[0].min(self.rest[1]);
        let covered = self.next.map(|next| next % 2 == 0);
        self.rest = self.rest.map(|rest| rest - length);
        Some((length, covered[0], covered[1]))
    }
}

fn size(height: usize, width: usize) -> Result<[u32; 2], MaskError> {
    match height.checked_mul(width) {
        Some(pixels) if (1..=MAX_PIXELS).contains(&pixels) => Ok([height as u32, width as u32]),
        _ => Err(MaskError::Size {
            height,
            width,
            limit: MAX_PIXELS,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_runs_are_merged_and_wrong_sums_refused() {
        let mask = Rle::from_runs(2, 4, [0, 3, 0, 2, 3, 0]).unwrap();
        assert_eq!((mask.runs(), mask.area()), (&[0, 5, 3][..], 5));
        assert_eq!(Rle::from_runs(2, 2, [4, 0, 0]).unwrap().runs(), [4]);
        assert_eq!(
            Rle::from_runs(2, 2, [1, 2]).unwrap_err().to_string(),
            "the runs add up to 3 pixels, but the image has 4"
        );
        assert!(Rle::from_runs(2, 2, [u64::MAX, u64::MAX]).is_err());
        assert!(Rle::from_runs(0, 2, [0]).is_err());
        assert!(Rle::from_runs(1 << 20, 1 << 20, [1 << 40]).is_err());
    }

    /// Every mask of 3 x 2 pixels, in all representations.
    #[test]
    fn every_small_mask_survives_each_form() {
        for bits in 0..64u32 {
            let mask: Vec<bool> = (0..6).map(|bit| bits >> bit & 1 == 1).collect();
            let rle = Rle::from_mask(3, 2, &mask).unwrap();
            assert_eq!(rle.to_mask(), mask);
            assert_eq!(rle.area(), u64::from(bits.count_ones()));
            assert_eq!(Rle::from_compressed(3, 2, rle.to_compressed().as_bytes()).unwrap(), rle);
            let [x, y, w, h] = rle.bounds().map(|side| side as usize);
            let inside = |pixel: usize| {
                let (row, column) = (pixel / 2, pixel % 2);
                (x..x + w).contains(&column) && (y..y + h).contains(&row)
            };
            assert!((0..6).all(|pixel| !mask[pixel] || inside(pixel)), "{bits}");
            for other in 0..64u32 {
                let second: Vec<bool> = (0..6).map(|bit| other >> bit & 1 == 1).collect();
                let second = Rle::from_mask(3, 2, &second).unwrap();
                assert_eq!(rle.intersection(&second), u64::from((bits & other).count_ones()));
                let union = Rle::union(3, 2, &[rle.clone(), second]).unwrap();
                assert_eq!(union.area(), u64::from((bits | other).count_ones()), "{bits} {other}");
            }
        }
    }

    #[test]
    fn masks_of_two_images_have_no_union() {
        let mask = |height| Rle::from_runs(height, 2, [height as u64 * 2]).unwrap();
        assert!(Rle::union(2, 2, &[mask(2), mask(3)]).is_err());
        assert_eq!(Rle::union(2, 2, &[]).unwrap().area(), 0);
    }

    #[test]
    fn bad_polygons_are_refused() {
        let refused = |polygon: &[f64]| Rle::from_polygons(8, 8, &[polygon]).unwrap_err();
        assert_eq!(refused(&[1.0; 4]), MaskError::Points { numbers: 4 });
        assert_eq!(refused(&[1.0; 7]), MaskError::Points { numbers: 7 });
        assert!(matches!(
            refused(&[1.0, 2.0, f64::NAN, 3.0, 4.0, 5.0]),
            MaskError::Coordinate { .. }
        ));
        assert!(matches!(
            refused(&[1.0, 2.0, -2e6, 3.0, 4.0, 5.0]),
            MaskError::Coordinate { .. }
        ));
        let zigzag: Vec<f64> = (0..200).map(|k| if k % 4 < 2 { 1e6 } else { -1e6 }).collect();
        assert!(matches!(refused(&zigzag), MaskError::Outline { .. }));
    }

    #[test]
    fn a_polygon_of_one_point_and_one_around_the_image() {
        assert_eq!(Rle::from_polygons(8, 9, &[[3.0; 6]]).unwrap().area(), 0);
        let around = [-5.0, -5.0, 20.0, -5.0, 20.0, 20.0, -5.0, 20.0];
        assert_eq!(Rle::from_polygons(8, 9, &[around]).unwrap().area(), 72);
    }
}
