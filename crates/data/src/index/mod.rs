//! The index of a folder: which images it contains, how they are found, and how the index is stored between runs.
//!
//! This file must contain only module declarations and re-exports.

mod cache;
mod folder_index;
mod format;
mod listing;
mod names;
mod scan;

pub use cache::{IndexCache, IndexNote};
pub(crate) use cache::{SETTLED, store_bytes};
pub use folder_index::{FolderIndex, FolderLayout};
pub use format::{IndexError, StoredIndex, parse_index};
pub(crate) use listing::{RUN_CHECKPOINTS, RUN_FILES, list};
pub(crate) use names::Names;
pub(crate) use scan::{FolderReading, scan};
