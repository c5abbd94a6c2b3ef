//! COCO's annotation files: images, categories, and objects with boxes, polygons or run lengths.
//!
//! This file must contain only module declarations and re-exports.

mod annotations;
mod coco_set;
mod format;
mod problems;

pub use annotations::{CocoAnnotations, CocoCategory, CocoImage, CocoObject, parse_coco, read_coco};
pub use coco_set::{CocoError, CocoSet};
pub use format::{RunCounts, Segmentation};
pub use problems::{CocoProblem, CocoProblems};
