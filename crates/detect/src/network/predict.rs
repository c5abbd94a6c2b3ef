//! Predictions: the detections of a batch of images.

use barlow_model::NormMode;
use barlow_ops::{ModelOps, RegionOps, Regions, RoiAlign, mean_pool2d};
use burn::tensor::Tensor;
use burn::tensor::activation::{sigmoid, softmax};

use super::c4::C4Detector;
use super::dense::host;
use super::train::DetectConfig;
use crate::anchors::anchors;
use crate::boxes::{Corners, clip};
use crate::coding::BoxCoding;
use crate::nms::nms_by_class;
use crate::proposals::proposals;

/// Lowest score of a detection.
const LEAST_SCORE: f32 = 0.05;
/// Overlap above which a detection of the same class is suppressed.
const OVERLAP: f64 = 0.5;

/// A detection.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    /// In pixels of the image that the network saw.
    pub corners: Corners,
    /// Its class.
    pub class: usize,
    /// Its probability.
    pub score: f32,
    /// Probabilities of the mask, row by row; empty without a mask head. [`paste_mask`](crate::paste_mask) makes it a mask.
    pub mask: Vec<f32>,
}

impl<B: ModelOps + RegionOps> C4Detector<B> {
    /// The detections of each image, at most `most`, highest score first; `config.proposals` should be
    /// [`ProposalConfig::TEST`](crate::ProposalConfig::TEST). Shapes are those of [`losses`](Self::losses).
    ///
    /// # Panics
    /// If images and sizes differ in number.
    pub fn detect(
        &self,
        images: Tensor<B, 4>,
        sizes: &[[usize; 2]],
        config: &DetectConfig,
        most: usize,
    ) -> Vec<Vec<Detection>> {
        let count = images.dims()[0];
        assert!(count == sizes.len(), "{count} images, {} sizes", sizes.len());
        let features = self.backbone.trunk(images, NormMode::Eval);
        let [_, _, height, width] = features.dims();
        let (logits, deltas) = self.rpn_head.forward(features.clone());
        let (scores, offsets) = (host(logits), host(deltas));
        let anchors = anchors(&config.anchors, [height, width]);
        let mut regions = Vec::new();
        for (image, &size) in sizes.iter().enumerate() {
            let range = image * anchors.len()..(image + 1) * anchors.len();
            let offsets = &offsets.as_chunks::<4>().0[range.clone()];
            let (boxes, _) = proposals(&anchors, &scores[range], offsets, size, &config.proposals);
            regions.extend(boxes.into_iter().map(|corners| (image, corners)));
        }
        let mut found: Vec<Vec<Detection>> = vec![Vec::new(); count];
        if regions.is_empty() {
            return found;
        }
        let align = RoiAlign {
            bins: config.bins,
            stride: config.anchors.stride as f64,
        };
        let maps = self.region_maps(features.clone(), &Regions::new(align, regions.clone()), NormMode::Eval);
        let (scores, offsets) = self.box_predictor.forward(mean_pool2d(maps));
        let (scores, offsets) = (host(softmax(scores, 1)), host(offsets));
        for (image, found) in found.iter_mut().enumerate() {
            let (mut boxes, mut kept, mut classes) = (Vec::new(), Vec::new(), Vec::new());
            let of_image = regions.iter().enumerate().filter(|(_, (of, _))| *of == image);
            for (row, (_, proposal)) in of_image {
                for class in 0..config.classes {
                    let score = scores[row * (config.classes + 1) + class];
                    let offsets = offsets.as_chunks::<4>().0[row * config.classes + class];
                    let decoded = BoxCoding::DETECTIONS.decode(proposal, &offsets);
                    // A NaN is not above the lowest score.
                    if score > LEAST_SCORE && decoded.iter().all(|corner| corner.is_finite()) {
                        boxes.push(clip(decoded, sizes[image]));
                        kept.push(score);
                        classes.push(class);
                    }
                }
            }
            let best = nms_by_class(&boxes, &kept, &classes, OVERLAP, most);
            let detections = best.into_iter().map(|at| Detection {
                corners: boxes[at],
                class: classes[at],
                score: kept[at],
                mask: Vec::new(),
            });
            found.extend(detections.filter(|found| {
                let [x1, y1, x2, y2] = found.corners;
                x2 > x1 && y2 > y1
            }));
        }
        self.add_masks(features, &mut found, align, config.classes);
        found
    }

    /// Masks of the detections, from regions cut out by their own boxes.
    fn add_masks(&self, features: Tensor<B, 4>, found: &mut [Vec<Detection>], align: RoiAlign, classes: usize) {
        let Some(head) = &self.mask_head else { return };
        let numbered = found.iter().enumerate();
        let boxes: Vec<(usize, Corners)> = numbered
            .flat_map(|(image, found)| found.iter().map(move |detection| (image, detection.corners)))
            .collect();
        if boxes.is_empty() {
            return;
        }
        let maps = self.region_maps(features, &Regions::new(align, boxes), NormMode::Eval);
        let logits = sigmoid(head.forward(maps));
        let pixels = logits.dims()[2] * logits.dims()[3];
        let probabilities = host(logits);
        for (row, detection) in found.iter_mut().flatten().enumerate() {
            let start = (row * classes + detection.class) * pixels;
            detection.mask = probabilities[start..start + pixels].to_vec();
        }
    }
}
