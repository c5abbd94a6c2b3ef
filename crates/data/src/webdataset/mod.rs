//! WebDataset: images in tar files with their labels next to them, `KEY.jpg` and `KEY.cls`.
//!
//! The tars are read once, headers and labels only, for an index in memory; an image is then one positioned read.
//! This file must contain only module declarations and re-exports.

mod fault;
mod groups;
mod header;
mod indexing;
mod label;
mod members;
mod numbering;
mod scan;
mod set;
mod stored;
mod tar_index;

pub use fault::TarFault;
pub use scan::index_tar;
pub use set::WebDataset;
pub use stored::{StoredTars, TarStamp, parse_tar_indexes};
pub use tar_index::TarIndex;
