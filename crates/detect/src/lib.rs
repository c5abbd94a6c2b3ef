//! The host's part of two-stage detection: what Faster R-CNN and Mask R-CNN compute on thousands of boxes between their networks.
//!
//! Anchors, box coding, matching, sampling, suppression, proposals, mask targets and pasted masks, as detectron2 defines them. All are
//! functions of slices: no tensors, no files, and every random draw has a key, so that nothing depends on the device or on the number
//! of threads. Corners are x1, y1, x2, y2 in pixels, half-open; arithmetic is in double precision.

mod anchors;
mod boxes;
mod coding;
mod masks;
mod matching;
mod nms;
mod proposals;
mod sampling;

pub use anchors::{AnchorConfig, anchors};
pub use boxes::{Corners, clip, iou, ious, scale};
pub use coding::{BoxCoding, MAX_LOG_SCALE};
pub use masks::{MaskTarget, paste_mask, polygon_target};
pub use matching::{Label, Match, match_anchors, match_proposals};
pub use nms::{nms, nms_by_class, top};
pub use proposals::{ProposalConfig, proposals};
pub use sampling::{DrawKey, Sample, sample};
