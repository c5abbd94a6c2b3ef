//! Operands of RoIAlign, checked.

use super::axis::{MAX_LENGTH, axis_weights};

/// How regions are cut out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoiAlign {
    /// Bins on a side of the output (≥ 1).
    pub bins: usize,
    /// Pixels of the image per pixel of the features (> 0): 16 for a ResNet's third stage.
    pub stride: f64,
}

/// Regions of a batch of images, by image.
#[derive(Clone, Debug, PartialEq)]
pub struct Regions {
    align: RoiAlign,
    /// Image, and x1, y1, x2, y2 in pixels of the image.
    boxes: Vec<(usize, [f32; 4])>,
}

impl Regions {
    /// Regions in the order of their images: image and x1, y1, x2, y2 in pixels of the image. They may reach out of it.
    ///
    /// # Panics
    /// If there is none, they are not in the order of their images, a coordinate is not finite, a region is longer than a million pixels
    /// of the features, or `align` is out of its range.
    pub fn new(align: RoiAlign, boxes: Vec<(usize, [f32; 4])>) -> Self {
        assert!(
            align.bins >= 1 && align.stride > 0.0 && align.stride.is_finite(),
            "RoIAlign: {align:?} is out of range"
        );
        assert!(!boxes.is_empty(), "RoIAlign: no regions");
        assert!(
            boxes.is_sorted_by_key(|(image, _)| *image),
            "RoIAlign: the regions are not in the order of their images"
        );
        let limit = MAX_LENGTH * align.stride;
        for (image, corners) in &boxes {
            assert!(
                corners.iter().all(|&corner| f64::from(corner).abs() <= limit),
                "RoIAlign: a region of image {image} has the corners {corners:?}"
            );
        }
        Self { align, boxes }
    }

    /// How they are cut out.
    pub fn align(&self) -> RoiAlign {
        self.align
    }

    /// Their number.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.boxes.len()
    }

    /// Images and boxes.
    pub fn boxes(&self) -> &[(usize, [f32; 4])] {
        &self.boxes
    }

    /// Runs of regions of one image, of at most `most` (≥ 1) regions each: image, first region, regions.
    pub(super) fn runs(&self, most: usize) -> Vec<(usize, std::ops::Range<usize>)> {
        let mut runs: Vec<(usize, std::ops::Range<usize>)> = Vec::new();
        for (at, (image, _)) in self.boxes.iter().enumerate() {
            match runs.last_mut() {
                Some((last, range)) if last == image && range.len() < most => range.end += 1,
                _ => runs.push((*image, at..at + 1)),
            }
        }
        runs
    }

    /// Weights of some regions along the rows, [regions, bins, height], and along the columns, [regions, bins, width].
    pub(super) fn weights(&self, regions: std::ops::Range<usize>, [height, width]: [usize; 2]) -> [Vec<f32>; 2] {
        let RoiAlign { bins, stride } = self.align;
        let along = |axis: usize, size: usize| -> Vec<f32> {
            let boxes = self.boxes[regions.clone()].iter();
            let weights = boxes.flat_map(|(_, corners)| {
                let ends = [corners[axis], corners[axis + 2]].map(|end| f64::from(end) / stride);
                axis_weights(ends, size, bins)
            });
            weights.collect()
        };
        [along(1, height), along(0, width)]
    }
}
