//! The images of a run: those of its config, or a custom program's.

mod error;
mod image_cache;
mod images;
mod open;
mod summary;

pub use error::SourceError;
pub use image_cache::fits_in_memory;
pub(crate) use images::fingerprint;
pub use images::{ImageCounts, Images, Sources};
pub(crate) use open::normalization;
pub use open::{AllImages, labelled_part, open, open_all};
pub use summary::{DataSummary, LeftOutEntry, PartSummary};
