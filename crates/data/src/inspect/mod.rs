//! What a set consists of: images per class, sizes, formats, unreadable files, duplicates. The first thing to look at.
//!
//! This file must not print, nor know what the images are used for.

mod census;
mod content;
mod duplicates;

pub use census::{Census, ClassCount, Sizes, Unreadable, census};
pub use content::ContentHash;
pub use duplicates::{Duplicates, Repeated, duplicates};
