//! The layout of a folder of image files: which folders in it are splits, and which are classes.
//!
//! This file must contain only module declarations and re-exports.

mod annotations;
mod decide;
mod evaluation;
mod peek;
mod splits;

pub(crate) use annotations::read_annotations;
pub(crate) use decide::{FolderSplits, decide, has_splits};
pub(crate) use evaluation::{EvaluationFolder, EvaluationLabels, evaluation_folder};
