//! Two-stage detection: Faster R-CNN and Mask R-CNN on the third stage of a ResNet, as detectron2 and MoCo's evaluation define them.
//!
//! Anchors, box coding, matching, sampling, suppression, proposals, mask targets and pasted masks are functions of slices in double
//! precision, so that nothing of them depends on the device; every random draw has a key. [`C4Detector`] is the network with its losses and
//! its predictions: one read-back of logits and offsets a step, and targets as tensors of the outputs' shapes. Corners are x1, y1, x2, y2
//! in pixels, half-open. No files, no images, no training loop.

mod anchors;
mod boxes;
mod coding;
mod masks;
mod matching;
mod network;
mod nms;
mod outline;
mod proposals;
mod sampling;
mod schedule;
mod view;

pub use anchors::{AnchorConfig, anchors};
pub use boxes::{Corners, clip, iou, ious, scale};
pub use coding::{BoxCoding, MAX_LOG_SCALE};
pub use masks::{MaskTarget, paste_mask, polygon_target};
pub use matching::{Label, Match, match_anchors, match_proposals};
pub use network::{
    BoxPredictor, C4Config, C4Detector, Conv2d, ConvTranspose2d, DetectConfig, Detection, ImageTargets, Losses,
    MaskHead, RpnHead, StageConfig, StepKey, StepModes,
};
pub use nms::{nms, nms_by_class, top};
pub use outline::{Outline, PixelMask};
pub use proposals::{ProposalConfig, proposals};
pub use sampling::{DrawKey, Sample, sample};
pub use schedule::StepSchedule;
pub use view::{LEAST_SIDE, resized, view_object};
