//! Errors of published sets and custom sets: one-line messages that tell the user what to do.
//!
//! Why not in [`crate::DataError`]: these name parts of published sets, which the rest of the crate must not know.

use std::path::{Path, PathBuf};

use barlow_augment::ChannelsError;

use super::{CifarFault, IdxFault};

/// An error of a set in a published format, of a set in memory, or of a custom set.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// A file that belongs to the set is missing.
    #[error("{} lacks {file}, a part of {set}; fetch the set again", folder.display())]
    MissingPart {
        /// The folder that was searched.
        folder: PathBuf,
        /// Name of the file.
        file: String,
        /// Name of the set.
        set: &'static str,
    },
    /// The same set in a format that only Python reads.
    #[error("{} is the Python version of CIFAR; fetch the binary version (its files end in .bin)", folder.display())]
    PythonCifar {
        /// The folder that was searched.
        folder: PathBuf,
    },
    /// There are several sets where one is wanted.
    #[error("{} holds several sets, {} and {}; pass the folder of one of them", folder.display(), first.display(), second.display())]
    Several {
        /// The folder that was searched.
        folder: PathBuf,
        /// The first set.
        first: PathBuf,
        /// Another one.
        second: PathBuf,
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
    /// A file is not a valid file of CIFAR's binary version.
    #[error("{}: {fault}; fetch it again", path.display())]
    Cifar {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: CifarFault,
    },
    /// A file is not a valid file of an IDX set.
    #[error("{}: {fault}; fetch it again", path.display())]
    Idx {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: IdxFault,
    },
    /// The images have a number of channels that cannot be converted to the requested one.
    #[error("{what}: {reason}")]
    Channels {
        /// The set, or the image of a set.
        what: String,
        /// The two numbers.
        reason: ChannelsError,
    },
    /// A tensor of images holds a value that is not a pixel.
    #[error("image {index} of the tensor holds {value}, outside {range}; scale the values first")]
    Value {
        /// The image.
        index: usize,
        /// The first such value.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// A custom dataset returned no item where there should be one.
    #[error("the dataset returned no item {index} although its length is {len}; fix its `get` or its `len`")]
    NoItem {
        /// The requested index.
        index: usize,
        /// The length that it reported.
        len: usize,
    },
    /// An item of a custom dataset is not a usable image.
    #[error(
        "item {index} of the dataset is not a usable image: {reason}; remove it, or set data.bad_images to \"skip\""
    )]
    BadItem {
        /// The item.
        index: usize,
        /// The error of the conversion.
        reason: String,
    },
    /// An item of a custom dataset has another label than expected.
    #[error("item {index} of the dataset has {found}, but {expected}; fix the labels or the classes")]
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
    /// Whether the error is about one image's content, so that loading can continue without it.
    #[must_use]
    pub fn is_bad_image(&self) -> bool {
        matches!(self, Self::BadItem { .. })
    }

    /// The file or folder that the error is about, if any.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::MissingPart { folder: path, .. }
            | Self::PythonCifar { folder: path }
            | Self::Several { folder: path, .. }
            | Self::TooLarge { path, .. }
            | Self::Cifar { path, .. }
            | Self::Idx { path, .. } => Some(path),
            _ => None,
        }
    }
}
