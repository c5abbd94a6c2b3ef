//! The losses of one training step.

use barlow_model::NormMode;
use barlow_ops::{ModelOps, RegionOps, Regions, RoiAlign, mean_pool2d};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use super::c4::C4Detector;
use super::dense::{Dense, host};
use super::losses::{absolute, binary, categorical};
use super::targets::{ImageTargets, SampledRegion, StageConfig, anchor_targets, sampled_regions};
use crate::anchors::{AnchorConfig, anchors};
use crate::boxes::Corners;
use crate::coding::BoxCoding;
use crate::proposals::{ProposalConfig, proposals};
use crate::sampling::DrawKey;

/// What the samples of a step are drawn by, and how many.
#[derive(Clone, Debug, PartialEq)]
pub struct StepKey {
    /// The run's seed.
    pub seed: u64,
    /// The step's number.
    pub step: u64,
    /// Number in the step of the batch's first image, where a step is made in parts.
    pub first_image: usize,
}

impl StepKey {
    fn of(&self, image: usize, stream: u32) -> DrawKey {
        DrawKey {
            seed: self.seed,
            step: self.step,
            image: (self.first_image + image) as u32,
            stream,
        }
    }
}

/// The losses of a step; their sum is minimised.
#[derive(Clone, Debug)]
pub struct Losses<B: Backend> {
    /// Whether anchors are objects.
    pub rpn_cls: Tensor<B, 1>,
    /// Offsets of anchors.
    pub rpn_loc: Tensor<B, 1>,
    /// Classes of regions.
    pub cls: Tensor<B, 1>,
    /// Offsets of regions.
    pub box_reg: Tensor<B, 1>,
    /// Masks of regions.
    pub mask: Option<Tensor<B, 1>>,
    /// Regions whose object has no mask, or one that cannot be filled, and that did not train masks.
    pub bad_masks: usize,
}

impl<B: Backend> Losses<B> {
    /// The sum of all.
    pub fn total(&self) -> Tensor<B, 1> {
        let sum = self.rpn_cls.clone() + self.rpn_loc.clone() + self.cls.clone() + self.box_reg.clone();
        match &self.mask {
            Some(mask) => sum + mask.clone(),
            None => sum,
        }
    }
}

/// Settings of a training step.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectConfig {
    /// Sizes and ratios of the anchors, and the stride of the third stage.
    pub anchors: AnchorConfig,
    /// Samples of the first stage.
    pub first: StageConfig,
    /// Samples of the second stage.
    pub second: StageConfig,
    /// Proposals of an image.
    pub proposals: ProposalConfig,
    /// Side of a region's maps before the fourth stage.
    pub bins: usize,
    /// Number of classes, without background.
    pub classes: usize,
}

/// What the norms of a training step do, and which part of the network learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepModes {
    /// Norms from the stem to the third stage.
    pub trunk: NormMode<'static>,
    /// Norms of the fourth stage and the extra one, over all sampled regions.
    pub regions: NormMode<'static>,
    /// No gradient goes into the third stage.
    pub frozen_trunk: bool,
}

impl StepModes {
    /// One mode everywhere, and everything learns.
    pub fn all(mode: NormMode<'static>) -> Self {
        Self {
            trunk: mode,
            regions: mode,
            frozen_trunk: false,
        }
    }
}

impl<B: ModelOps + RegionOps> C4Detector<B> {
    /// The losses of a batch.
    ///
    /// # Shapes
    /// - `images`: [N, C, H, W], normalised and padded to one size
    /// - `sizes`: height and width of each image without padding
    ///
    /// # Panics
    /// If images, sizes and targets differ in number, or an object's class is out of range.
    pub fn losses(
        &self,
        images: Tensor<B, 4>,
        sizes: &[[usize; 2]],
        targets: &[ImageTargets],
        config: &DetectConfig,
        key: &StepKey,
        modes: StepModes,
    ) -> Losses<B> {
        let count = images.dims()[0];
        assert!(
            count == sizes.len() && count == targets.len(),
            "{count} images, {} sizes, {} targets",
            sizes.len(),
            targets.len()
        );
        let device = images.device();
        let features = self.backbone.trunk(images, modes.trunk);
        let features = if modes.frozen_trunk {
            features.detach()
        } else {
            features
        };
        let [_, _, height, width] = features.dims();
        let (logits, deltas) = self.rpn_head.forward(features.clone());
        let (scores, offsets) = (host(logits.clone()), host(deltas.clone()));
        let anchors = anchors(&config.anchors, [height, width]);

        let found = anchor_targets(&anchors, targets, &config.first, |image| key.of(image, 0));
        let shape = [count, anchors.len()];
        let labels = found.labels.tensor(shape, &device);
        let rpn_cls = binary(logits, labels, found.weights.tensor(shape, &device));
        let shape = [count, anchors.len(), 4];
        let wanted = found.offsets.tensor(shape, &device);
        let rpn_loc = absolute(deltas, wanted, found.offset_weights.tensor(shape, &device));

        let mut regions: Vec<(usize, SampledRegion)> = Vec::new();
        for (image, objects) in targets.iter().enumerate() {
            let range = image * anchors.len()..(image + 1) * anchors.len();
            let offsets = &offsets.as_chunks::<4>().0[range.clone()];
            let (boxes, _) = proposals(&anchors, &scores[range], offsets, sizes[image], &config.proposals);
            let sampled = sampled_regions(boxes, objects, &config.second, key.of(image, 1));
            regions.extend(sampled.into_iter().map(|region| (image, region)));
        }
        self.region_losses(features, &regions, targets, config, modes.regions, [rpn_cls, rpn_loc])
    }

    fn region_losses(
        &self,
        features: Tensor<B, 4>,
        regions: &[(usize, SampledRegion)],
        targets: &[ImageTargets],
        config: &DetectConfig,
        mode: NormMode,
        [rpn_cls, rpn_loc]: [Tensor<B, 1>; 2],
    ) -> Losses<B> {
        let device = features.device();
        let zero = || Tensor::zeros([1], &device);
        if regions.is_empty() {
            return Losses {
                rpn_cls,
                rpn_loc,
                cls: zero(),
                box_reg: zero(),
                mask: self.mask_head.as_ref().map(|_| zero()),
                bad_masks: 0,
            };
        }
        let align = RoiAlign {
            bins: config.bins,
            stride: config.anchors.stride as f64,
        };
        let boxes = regions.iter().map(|(image, region)| (*image, region.corners)).collect();
        let maps = self.region_maps(features, &Regions::new(align, boxes), mode);
        let (scores, offsets) = self.box_predictor.forward(mean_pool2d(maps.clone()));

        let (count, classes) = (regions.len(), config.classes);
        let weight = 1.0 / count as f32;
        let mut of_class = Dense::zeros(count * (classes + 1));
        let (mut wanted, mut weights) = (Dense::zeros(count * 4 * classes), Dense::zeros(count * 4 * classes));
        for (row, (image, region)) in regions.iter().enumerate() {
            let class = region.object.map_or(classes, |object| targets[*image].classes[object]);
            assert!(
                region.object.is_none() || class < classes,
                "an object of class {class} of {classes}"
            );
            of_class.values[row * (classes + 1) + class] = weight;
            if let Some(object) = region.object {
                let place = (row * classes + class) * 4;
                let offsets = BoxCoding::DETECTIONS.encode(&region.corners, &targets[*image].boxes[object]);
                wanted.values[place..][..4].copy_from_slice(&offsets);
                weights.values[place..][..4].fill(weight);
            }
        }
        let cls = categorical(scores, of_class.tensor([count, classes + 1], &device));
        let shape = [count, 4 * classes];
        let box_reg = absolute(offsets, wanted.tensor(shape, &device), weights.tensor(shape, &device));
        let (mask, bad_masks) = match &self.mask_head {
            None => (None, 0),
            Some(_) => {
                let (loss, bad) = self.mask_loss(maps, regions, targets, config);
                (Some(loss), bad)
            }
        };
        Losses {
            rpn_cls,
            rpn_loc,
            cls,
            box_reg,
            mask,
            bad_masks,
        }
    }

    /// The mean binary cross-entropy of the true class's logits over all foreground regions, and the number of masks that could not be
    /// made.
    fn mask_loss(
        &self,
        maps: Tensor<B, 4>,
        regions: &[(usize, SampledRegion)],
        targets: &[ImageTargets],
        config: &DetectConfig,
    ) -> (Tensor<B, 1>, usize) {
        let device = maps.device();
        // The sides of a region's maps after the fourth stage are halved and doubled again.
        let bins = 2 * maps.dims()[2];
        let head = self.mask_head.as_ref().expect("the caller has seen it");
        let (mut rows, mut drawn, mut bad) = (Vec::new(), Vec::new(), 0);
        for (row, (image, region)) in regions.iter().enumerate() {
            let Some(object) = region.object else { continue };
            let objects = &targets[*image];
            match mask_of(objects, object, &region.corners, bins) {
                Some(target) => {
                    rows.push(row as i32);
                    drawn.push((objects.classes[object], target));
                }
                None => bad += 1,
            }
        }
        if rows.is_empty() {
            return (Tensor::zeros([1], &device), bad);
        }
        let (count, pixels) = (rows.len(), bins * bins);
        let rows = Tensor::<B, 1, Int>::from_data(TensorData::new(rows, [count]), &device);
        let logits = head.forward(maps.select(0, rows));
        let size = count * config.classes * pixels;
        let (mut wanted, mut weights) = (Dense::zeros(size), Dense::zeros(size));
        let weight = 1.0 / (count * pixels) as f32;
        for (row, (class, target)) in drawn.into_iter().enumerate() {
            let start = (row * config.classes + class) * pixels;
            weights.values[start..start + pixels].fill(weight);
            for (wanted, on) in wanted.values[start..].iter_mut().zip(target) {
                *wanted = f32::from(u8::from(on));
            }
        }
        let shape = logits.dims();
        let (wanted, weights) = (wanted.tensor(shape, &device), weights.tensor(shape, &device));
        (binary(logits, wanted, weights), bad)
    }
}

fn mask_of(objects: &ImageTargets, object: usize, corners: &Corners, bins: usize) -> Option<Vec<bool>> {
    objects.outlines.get(object)?.as_ref()?.target(corners, bins)
}
