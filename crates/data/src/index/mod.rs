//! The index of a folder: which images it contains, how they are found, and how the index is stored between runs.
//!
//! This file must contain only module declarations and re-exports.

mod bytes;
mod cache;
mod error;
mod folder_index;
mod format;
mod listing;
mod names;
mod scan;
mod version;

pub(crate) use bytes::ByteReader;
pub use cache::{IndexCache, IndexNote};
pub(crate) use cache::{SETTLED, store_bytes};
pub use error::IndexError;
pub use folder_index::{FolderIndex, FolderLayout};
pub use format::{StoredIndex, parse_index};
pub(crate) use listing::{RUN_CHECKPOINTS, RUN_FILES, list};
pub(crate) use names::Names;
pub(crate) use scan::{FolderReading, scan};
