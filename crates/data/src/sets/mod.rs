//! Sets that are not folders of image files: the published binary formats, tensors in memory, Burn datasets.
//!
//! Parsers are separate from file access, so that hostile bytes can be tested on the parser alone. This file must contain
//! only module declarations and re-exports.

mod cifar;
mod cifar_records;
mod dataset;
mod error;
mod files;
mod idx;
mod idx_format;
mod memory;
mod split;

pub use cifar::CifarSet;
pub use cifar_records::{CIFAR_SIDE, CifarFault, CifarKind, check_cifar_records, parse_cifar_names};
pub use dataset::{ConvertedItem, DatasetSource};
pub use error::SetError;
pub(crate) use files::read_whole;
pub use idx::IdxSet;
pub use idx_format::{IdxArray, IdxFault, IdxType, MAX_IDX_BYTES};
pub use memory::MemorySet;
pub use split::Split;
