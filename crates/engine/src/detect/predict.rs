//! The detections of a set's images by a trained detector.

use super::batch::{Skipped, View, padded};
use super::found::{FoundObject, FoundSet};
use super::recipe::ViewSection;
use crate::evaluation::{EvaluationError, Watch};
use anyhow::Context;
use barlow_augment::Normalization;
use barlow_data::DetectionSet;
use barlow_detect::{C4Detector, DetectConfig, clip, paste_mask, resized, scale};
use barlow_eval::Rle;
use barlow_ops::{ModelOps, RegionOps};
use burn::tensor::{Tensor, TensorData};

/// How test images become detections.
pub(super) struct Prediction<'a> {
    pub(super) set: &'a DetectionSet,
    pub(super) views: &'a ViewSection,
    pub(super) normalization: &'a Normalization,
    pub(super) config: DetectConfig,
    /// Most detections of an image.
    pub(super) most: usize,
}

impl Prediction<'_> {
    /// The detections of every image, one image after the other.
    pub(super) fn run<B: ModelOps + RegionOps>(
        &self,
        detector: &C4Detector<B>,
        watch: &Watch<'_>,
        device: &B::Device,
    ) -> Result<FoundSet, EvaluationError> {
        let images = &self.set.images;
        let mut phase = watch.phase("detecting on the test images".to_owned(), images.len());
        let mut found = FoundSet::default();
        for image in 0..images.len() {
            phase.at(image)?;
            let decoded = match self.set.decode(image) {
                Ok(decoded) => decoded,
                Err(error) if error.is_bad_image() => {
                    found.skipped.add(image, &error);
                    found.sizes.push(None);
                    continue;
                }
                Err(error) => return Err(EvaluationError::Failed(error.into())),
            };
            let size = [decoded.height(), decoded.width()];
            found.sizes.push(Some(size));
            let to = resized(size, self.views.test_short_side, self.views.longest);
            let view = View::of(&decoded, to, false, self.normalization);
            let (values, shape) = padded(&[&view], self.normalization.channels(), self.views.size_divisor);
            let pixels = Tensor::from_data(TensorData::new(values, shape), device);
            let detections = detector.detect(pixels, &[to], &self.config, self.most);
            for detection in detections.into_iter().flatten() {
                let corners = clip(scale(detection.corners, to, size), size);
                let [x1, y1, x2, y2] = corners;
                if !(x2 > x1 && y2 > y1) {
                    continue;
                }
                let mask = match detection.mask.len() {
                    0 => None,
                    pixels => {
                        let mask = paste_mask(&detection.mask, pixels.isqrt(), &corners, size);
                        Some(Rle::from_mask(size[0], size[1], &mask).context("a mask of the image's size")?)
                    }
                };
                found.objects.push(FoundObject {
                    image,
                    class: detection.class,
                    score: detection.score,
                    corners,
                    mask,
                });
            }
        }
        if images.len() == found.skipped.len() {
            let line = found.skipped.line("test").unwrap_or_default();
            return Err(EvaluationError::Failed(anyhow::Error::msg(line)));
        }
        Ok(found)
    }
}

/// That no detection is counted of an image that was skipped.
pub(super) fn is_counted(skipped: &Skipped, image: usize) -> bool {
    !skipped.contains(image)
}
