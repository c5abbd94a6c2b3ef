//! Pascal VOC: images that hold objects of several classes, with a box around each.
//!
//! This file must contain only module declarations and re-exports.

mod annotation;
mod boxes;
mod error;
mod layout;
mod voc_set;

pub use annotation::{AnnotatedObject, Annotation, parse_annotation};
pub use boxes::BoundingBox;
pub use error::VocError;
pub(crate) use layout::{find_voc, image_files, list_file, read_ids};
pub use voc_set::VocSet;
pub(crate) use voc_set::read_annotation;
