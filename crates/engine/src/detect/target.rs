//! Annotated objects as the detector's targets and as the evaluation's masks.

use barlow_data::{RunCounts, Segmentation};
use barlow_detect::{Outline, PixelMask};
use barlow_eval::{MaskError, Rle};

/// The mask of an object in an image of `size` (height and width).
pub(super) fn mask(outline: &Segmentation, [height, width]: [usize; 2]) -> Result<Rle, MaskError> {
    match outline {
        Segmentation::Polygons(polygons) => Rle::from_polygons(height, width, polygons),
        Segmentation::Runs { counts, .. } => match counts {
            RunCounts::Plain(runs) => Rle::from_runs(height, width, runs.iter().copied()),
            RunCounts::Compressed(text) => Rle::from_compressed(height, width, text.as_bytes()),
        },
    }
}

/// The outline of an object in an image of `size`. `None` for runs that are damaged.
pub(super) fn outline(outline: &Segmentation, size: [usize; 2]) -> Option<Outline> {
    match outline {
        Segmentation::Polygons(polygons) => Some(Outline::Polygons(polygons.clone())),
        Segmentation::Runs { .. } => {
            let mask = mask(outline, size).ok()?;
            Some(Outline::Pixels(PixelMask::new(mask.to_mask(), size)))
        }
    }
}
