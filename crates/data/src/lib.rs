//! Files on disk -> ordered batches of view pairs, made ahead of the device behind a bounded queue.
//!
//! [`ImageFolder`] lists files, an [`ImageSource`] gives decoded images ([`DecodedSet`] keeps small sets in memory),
//! [`TwinLoader`] turns a source into batches whose content depends on `(seed, epoch)` alone, never on the number of
//! workers. [`eval_pixels`] and [`channel_statistics`] are the two other ways through a source.
//!
//! This crate must not know models, losses or optimisers, and must not use the network.

mod batch;
mod classes;
mod decoded;
mod epoch;
mod error;
mod eval;
mod folder;
mod index;
mod index_cache;
mod index_format;
mod list;
mod loader;
mod names;
mod read;
mod scan;
mod shuffle;
mod source;
mod splits;
mod statistics;
mod subset;
mod voc;

pub use batch::{HostBatch, TwinBatch};
pub use decoded::DecodedSet;
pub use epoch::EpochIter;
pub use error::DataError;
pub use eval::eval_pixels;
pub use folder::ImageFolder;
pub use index::{FolderIndex, FolderLayout};
pub use index_cache::{IndexCache, IndexNote};
pub use index_format::{IndexError, StoredIndex, parse_index};
pub use list::{BadLine, FileList, ListError, ListLine, parse_list};
pub use loader::{TwinLoader, TwinLoaderConfig};
pub use scan::IMAGE_EXTENSIONS;
pub use shuffle::shuffled_indices;
pub use source::{BadImages, ImageSource, LabelledImage, Skipped};
pub use splits::Splits;
pub use statistics::channel_statistics;
pub use subset::Subset;
pub use voc::{AnnotatedObject, Annotation, BoundingBox, VocError, VocSet, parse_annotation};
