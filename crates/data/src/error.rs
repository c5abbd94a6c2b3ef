//! [`DataError`], every error between the disk and a batch: one-line messages that tell the user what to do.
//!
//! Why one enum: an error of a worker thread must reach the caller of the loader in the same type as an error of opening
//! the folder. This file must not decide what is an error.

use std::path::{Path, PathBuf};

use barlow_augment::DecodeError;

use crate::{CacheError, ListError, SetError, ShardError, VocError};

/// Why data could not be opened, read or loaded.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Nothing exists at the path.
    #[error("there is no folder {}; pass a folder of images", path.display())]
    MissingFolder {
        /// The requested path.
        path: PathBuf,
    },
    /// The path is not a folder.
    #[error("{} is not a folder; pass the folder that holds the images", path.display())]
    NotAFolder {
        /// The requested path.
        path: PathBuf,
    },
    /// A folder could not be listed or a file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// There is no image in the folder or in its class folders.
    #[error("{} holds no images (jpg, png, webp, …), neither itself nor in folders below{found}", path.display())]
    NoImages {
        /// The folder.
        path: PathBuf,
        /// What it holds instead; empty or begins with a semicolon.
        found: String,
    },
    /// Other class folders hold images, but this one holds none.
    #[error("class folder {} holds no images (jpg, png, webp, …){found}; add some or remove the folder", path.display())]
    EmptyClass {
        /// The class folder.
        path: PathBuf,
        /// What it holds instead; empty or begins with a comma.
        found: String,
    },
    /// A folder below has a split's name: its labels and test images must not be lost among the others.
    #[error(
        "{} is no data set by itself, but {} looks like a part of one; pass the folder that holds train, or name the \
         folders in it with data.train and data.test",
        path.display(),
        split.display()
    )]
    NestedSplit {
        /// The folder.
        path: PathBuf,
        /// The folder with a split's name.
        split: PathBuf,
    },
    /// What the folders are is not clear: splits or classes.
    #[error("{}: {reason}; name the folders with data.train and data.test, such as {example}", path.display())]
    UnclearFolders {
        /// The folder.
        path: PathBuf,
        /// What is unclear.
        reason: String,
        /// Settings for one of the readings.
        example: String,
    },
    /// Splits were named for a set whose format has its own.
    #[error("data.train and data.test name folders or lists of images, and {} is of the format {format}; remove them", path.display())]
    NamedSplits {
        /// The set.
        path: PathBuf,
        /// Its format.
        format: String,
    },
    /// A file name that cannot be stored. On Unix all can.
    #[error("the name of {} is not Unicode; rename it", path.display())]
    NameNotUnicode {
        /// The file or folder.
        path: PathBuf,
    },
    /// A Pascal VOC set that cannot be used.
    #[error(transparent)]
    Voc(#[from] VocError),
    /// A file list that cannot be used.
    #[error(transparent)]
    List(#[from] ListError),
    /// A set of shards, tar or Parquet files, that cannot be used.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// Images next to folders: whether the folders are classes is ambiguous.
    #[error(
        "{} holds images (as {image}) beside folders (as {folder}); move the images into class folders, or the folders \
         away",
        path.display()
    )]
    MixedFolder {
        /// The folder.
        path: PathBuf,
        /// Name of the first image.
        image: String,
        /// Name of the first folder.
        folder: String,
    },
    /// The test split has a class that is not in the training split.
    #[error("class {class} of {} is not among the training classes ({known}); rename or remove it", path.display())]
    UnknownClass {
        /// The folder of the test split.
        path: PathBuf,
        /// The class.
        class: String,
        /// The training classes, shortened.
        known: String,
    },
    /// A file is not a usable image.
    #[error("bad image {}: {reason}; remove it, or set data.bad_images to \"skip\"", path.display())]
    BadImage {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: DecodeError,
    },
    /// An image has another size than its annotation says.
    #[error(
        "{} has {} x {} pixels, and its annotation says {} x {}, so its boxes would not fit; correct one of them",
        path.display(), found[0], found[1], annotated[0], annotated[1]
    )]
    SizeDiffers {
        /// The file.
        path: PathBuf,
        /// Height and width of the decoded image.
        found: [usize; 2],
        /// Height and width in the annotation.
        annotated: [usize; 2],
    },
    /// The file of an image is not there or must not be read.
    #[error("cannot read {}: {source}; restore or remove it, or set data.bad_images to \"skip\"", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// Part of the images cannot be held out.
    #[error("data.holdout = {fraction}: {reason}")]
    Holdout {
        /// The requested fraction.
        fraction: f64,
        /// Why, and what to do.
        reason: String,
    },
    /// Bad images are skipped, and no good one remains.
    #[error("none of the {count} images can be used; the first: {first}")]
    AllBad {
        /// How many were tried.
        count: usize,
        /// The error of the first one.
        first: String,
    },
    /// A batch needs more images than there are.
    #[error("a batch of {batch_size} does not fit {len} images; set train.batch_size to {len} or less, or add images")]
    BatchTooLarge {
        /// Images in a batch.
        batch_size: usize,
        /// Images in the set.
        len: usize,
    },
    /// Image files cannot be decoded to this number of channels.
    #[error("image files give 1, 3 or 4 channels (grey, RGB, RGB with alpha), not {channels}; set model.in_channels")]
    FileChannels {
        /// Requested number of channels.
        channels: usize,
    },
    /// The statistics of the views are for another number of channels than the images have.
    #[error(
        "the images have {images} channels, but data.normalize has statistics for {normalised}; set it to \"data\" to \
         compute them"
    )]
    ChannelsDiffer {
        /// Channels of the images.
        images: usize,
        /// Channels of the statistics.
        normalised: usize,
    },
    /// Batch statistics need at least two images.
    #[error("a batch of {batch_size} has no batch statistics; set train.batch_size to 2 or more")]
    BatchTooSmall {
        /// Images in a batch.
        batch_size: usize,
    },
    /// The system could not start the threads.
    #[error("cannot start {workers} data workers: {reason}; set data.workers lower")]
    Threads {
        /// Requested number of threads.
        workers: usize,
        /// The system's error.
        reason: String,
    },
    /// A worker panicked: a bug in this program, not a fault of the data.
    #[error("a data worker panicked: {message}; please report this")]
    WorkerPanicked {
        /// The panic's message.
        message: String,
    },
    /// Something is wrong with a set that is not a folder of image files.
    #[error(transparent)]
    Set(#[from] SetError),
    /// Something is wrong with the file of an image cache.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl DataError {
    /// Whether the error is about one file's content, so that loading can continue without this file.
    #[must_use]
    pub fn is_bad_image(&self) -> bool {
        matches!(
            self,
            Self::BadImage { .. } | Self::Unreadable { .. } | Self::SizeDiffers { .. }
        ) || matches!(self, Self::Set(error) if error.is_bad_image())
    }

    /// The file or folder that the error is about, if any.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::MissingFolder { path }
            | Self::NotAFolder { path }
            | Self::Read { path, .. }
            | Self::NoImages { path, .. }
            | Self::EmptyClass { path, .. }
            | Self::UnclearFolders { path, .. }
            | Self::NamedSplits { path, .. }
            | Self::NestedSplit { path, .. }
            | Self::NameNotUnicode { path }
            | Self::MixedFolder { path, .. }
            | Self::UnknownClass { path, .. }
            | Self::Unreadable { path, .. }
            | Self::SizeDiffers { path, .. }
            | Self::BadImage { path, .. } => Some(path),
            Self::Voc(error) => Some(error.path()),
            Self::List(error) => Some(error.path()),
            Self::Set(error) => error.path(),
            Self::Shard(error) => error.path(),
            Self::Cache(error) => Some(error.path()),
            _ => None,
        }
    }
}

/// The message of a caught panic.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no panic message".to_owned())
}
