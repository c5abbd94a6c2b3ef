//! Evaluation of detections: average precision as PASCAL VOC and COCO define it, of boxes and of masks.
//!
//! This file must contain only module declarations and re-exports.

mod accumulate;
mod coco;
mod coco_config;
mod mask_error;
mod matching;
mod polygon;
mod region;
mod rle;
mod rle_string;
mod summary;
mod voc;

pub use coco::{CocoDetection, CocoObject, coco_evaluate};
pub use coco_config::{AreaRange, CocoConfig};
pub use mask_error::MaskError;
pub use region::{BoxRegion, Region};
pub use rle::Rle;
pub use summary::{CocoEvaluation, CocoSummary};
pub use voc::{VocAp, VocDetection, VocObject, box_iou, voc_detection_ap};
