//! The index of a folder: which images lie below it, how that is found out, and how it is stored between runs.
//!
//! This file must hold nothing but the list of its parts.

mod cache;
mod folder_index;
mod format;
mod listing;
mod names;
mod scan;

pub use cache::{IndexCache, IndexNote};
pub use folder_index::{FolderIndex, FolderLayout};
pub use format::{IndexError, StoredIndex, parse_index};
pub use listing::IMAGE_EXTENSIONS;
pub(crate) use listing::{has_image_extension, list};
pub(crate) use names::Names;
pub(crate) use scan::scan;
