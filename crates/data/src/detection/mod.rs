//! Sets for detection: images with boxes, classes and masks, of the VOC layout or with COCO's annotation files.
//!
//! This file must contain only module declarations and re-exports.

mod coco;
mod error;
mod object;
mod problems;
mod sets;
mod voc;

pub use error::DetectionError;
pub use object::{DetectionImage, DetectionObject, DetectionSet};
pub use problems::{DetectionProblem, DetectionProblems};
pub use sets::{DetectionLayout, DetectionParts, DetectionSets, open_detection};
