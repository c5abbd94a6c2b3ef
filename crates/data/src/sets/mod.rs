//! Sets that are not folders of image files: the published binary formats, tensors in memory, a Burn user's datasets.
//!
//! Each has its parser apart from its files, so that hostile bytes can be tried on the parser alone.

mod cifar;
mod cifar_records;
mod dataset;
mod error;
mod files;
mod idx;
mod idx_format;
mod memory;

use serde::{Deserialize, Serialize};

pub use cifar::CifarSet;
pub use cifar_records::{CIFAR_SIDE, CifarFault, CifarKind, check_cifar_records, parse_cifar_names};
pub use dataset::{ConvertedItem, DatasetSource};
pub use error::SetError;
pub use idx::IdxSet;
pub use idx_format::{IdxArray, IdxFault, IdxType, MAX_IDX_BYTES};
pub use memory::MemorySet;

/// Which part of a published set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The images to train on.
    Train,
    /// The images to evaluate on.
    Test,
}
