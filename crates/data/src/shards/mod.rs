//! What sets of shards (tar files, Parquet files) have in common: which file is of which split, how labels become classes,
//! and what was left out.
//!
//! This file must contain only module declarations and re-exports.

mod error;
mod labels;
mod layout;
mod left_out;
mod pattern;
mod splits;

pub use error::ShardError;
pub(crate) use labels::{LabelTexts, NO_LABEL, class_names_beside, classes_of};
pub(crate) use layout::{ShardKind, ShardSplits, find_shards, looks_like_shards};
pub use left_out::LeftOutOfShards;
pub(crate) use left_out::LeftOuts;
pub use pattern::expand_pattern;
pub(crate) use splits::{Opened, ShardedSet, open_splits};
