//! Faster R-CNN and Mask R-CNN on the third stage of a ResNet ("C4").
//!
//! The fourth stage runs on each region. A ResNet-18 or -34 works too, with two basic blocks for a region: that form is ours, detectron2
//! has bottlenecks only.

use barlow_model::{BatchNorm, BatchNormConfig, NormMode, ResNet};
use barlow_ops::{ModelOps, RegionOps, Regions, roi_align};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::mask_head::MaskHead;
use super::predictor::BoxPredictor;
use super::rpn::RpnHead;

/// The parts of a [`C4Detector`] around its backbone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct C4Config {
    /// Number of classes, without background.
    pub classes: usize,
    /// Anchors at each position.
    pub anchors: usize,
    /// One more norm after the fourth stage, as MoCo's evaluation has.
    pub extra_norm: bool,
    /// Hidden channels of the mask head (256 in detectron2); `None` for boxes alone.
    pub mask_channels: Option<usize>,
}

/// A two-stage detector.
#[derive(Module, Debug)]
pub struct C4Detector<B: Backend> {
    /// Stem and all four stages, under torchvision's names.
    pub backbone: ResNet<B>,
    /// Head of the first stage.
    pub rpn_head: RpnHead<B>,
    /// The extra norm, over the regions' maps.
    pub norm: Option<BatchNorm<B>>,
    /// Head of the second stage.
    pub box_predictor: BoxPredictor<B>,
    /// Head for masks.
    pub mask_head: Option<MaskHead<B>>,
}

impl<B: Backend> C4Detector<B> {
    /// Builds a detector on a backbone, with `features` channels after its fourth stage. The heads have detectron2's initial
    /// distributions, keyed by `seed`.
    pub fn new(backbone: ResNet<B>, features: usize, config: &C4Config, seed: u64, device: &B::Device) -> Self {
        let &C4Config {
            classes,
            anchors,
            extra_norm,
            mask_channels,
        } = config;
        let rpn_head = RpnHead::new(backbone.trunk_dim(), anchors, seed, device);
        Self {
            backbone,
            rpn_head,
            norm: extra_norm.then(|| BatchNormConfig::new(features).init(device)),
            box_predictor: BoxPredictor::new(features, classes, seed, device),
            mask_head: mask_channels.map(|hidden| MaskHead::new([features, hidden, classes], seed, device)),
        }
    }
}

impl<B: ModelOps + RegionOps> C4Detector<B> {
    /// The regions' maps after the fourth stage, [R, F, ⌈bins / 2⌉, ⌈bins / 2⌉], from maps of the third, [N, C, H, W].
    pub(super) fn region_maps(&self, features: Tensor<B, 4>, regions: &Regions, mode: NormMode) -> Tensor<B, 4> {
        let maps = self.backbone.last_stage(roi_align(features, regions), mode);
        match &self.norm {
            Some(norm) => norm.forward(maps, mode),
            None => maps,
        }
    }
}
