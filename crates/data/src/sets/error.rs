//! What can be wrong with a ready-made set or a user's own: one line each, for a person, saying what to do.
//!
//! Why beside [`crate::DataError`]: these name parts of published sets, which the rest of the crate must not know.

use std::path::{Path, PathBuf};

use barlow_augment::ChannelsError;

use super::{CifarFault, IdxFault};

/// Why a set in a published format, in memory or of a user's own making gives no images.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// A file that belongs to the set is not there.
    #[error("{} lacks {file}, a part of {set}; fetch the set again", folder.display())]
    MissingPart {
        /// The folder looked into.
        folder: PathBuf,
        /// Name of the file.
        file: String,
        /// Name of the set.
        set: &'static str,
    },
    /// The same set in a form that only Python reads.
    #[error("{} is the Python version of CIFAR; fetch the binary version (its files end in .bin)", folder.display())]
    PythonCifar {
        /// The folder looked into.
        folder: PathBuf,
    },
    /// A file is larger than any file of its kind.
    #[error("{} has {bytes} bytes, over the limit of {limit}; is it the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// Largest size that is read.
        limit: u64,
    },
    /// A file is not what CIFAR's binary version holds.
    #[error("{}: {fault}; fetch it again", path.display())]
    Cifar {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: CifarFault,
    },
    /// A file is not what an IDX set holds.
    #[error("{}: {fault}; fetch it again", path.display())]
    Idx {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: IdxFault,
    },
    /// The images have a number of channels that cannot be turned into the one asked for.
    #[error("{what}: {reason}")]
    Channels {
        /// The set, or the image of a set.
        what: String,
        /// The two numbers.
        reason: ChannelsError,
    },
    /// A tensor of images holds something that is no pixel.
    #[error("image {index} of the tensor holds {value}, outside {range}; scale the values first")]
    Value {
        /// The image.
        index: usize,
        /// The first such value.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// A user's dataset has no item where there should be one.
    #[error("the dataset gives no item {index} although it says it has {len}; mend its `get` or its `len`")]
    NoItem {
        /// The number asked for.
        index: usize,
        /// Items it says it has.
        len: usize,
    },
    /// An item of a user's dataset is no usable image.
    #[error("item {index} of the dataset is no usable image: {reason}; remove it, or set data.bad_images to \"skip\"")]
    BadItem {
        /// The item.
        index: usize,
        /// What the conversion says.
        reason: String,
    },
    /// An item of a user's dataset has another label than it should.
    #[error("item {index} of the dataset has {found}, but {expected}; mend the labels or the classes")]
    ItemLabel {
        /// The item.
        index: usize,
        /// What it has.
        found: String,
        /// What it should have.
        expected: String,
    },
}

impl SetError {
    /// Whether the error is about one image's content, so that skipping it goes on.
    #[must_use]
    pub fn is_bad_image(&self) -> bool {
        matches!(self, Self::BadItem { .. })
    }

    /// The file or folder the error is about, if it is about one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::MissingPart { folder: path, .. }
            | Self::PythonCifar { folder: path }
            | Self::TooLarge { path, .. }
            | Self::Cifar { path, .. }
            | Self::Idx { path, .. } => Some(path),
            _ => None,
        }
    }
}
