//! Detection of the data set format at a path, by a few names in it.
//!
//! This file must not read a set: its reader checks whether it is complete and valid.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::extensions::has_image_extension;
use crate::layout::has_splits;
use crate::lists::{FoundLists, LIST_EXTENSIONS, start_names_images};
use crate::shards::{ShardKind, looks_like_shards};
use crate::voc::{VocError, find_voc};
use crate::{CifarKind, DataError, IdxSet};

/// Layout of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataFormat {
    /// Detect it ([`detect`]).
    #[default]
    Auto,
    /// Image files: a folder per class, below `train/` and `test/` (or `val/`, and other usual names) or at the top; or without
    /// labels, in one folder or in folders of folders.
    Folder,
    /// CIFAR-10, binary version.
    Cifar10,
    /// CIFAR-100, binary version, with its 100 fine classes.
    Cifar100,
    /// IDX files as of MNIST and Fashion-MNIST.
    Idx,
    /// Pascal VOC: `JPEGImages`, `Annotations` and, for splits, `ImageSets/Main`.
    Voc,
    /// A text file or table of image paths, or a folder with `train.txt`.
    List,
    /// WebDataset: tar files of `KEY.jpg` with `KEY.cls`, `KEY.json` or `KEY.txt`.
    WebDataset,
    /// Parquet files with a column of images and one of labels, as Hugging Face shares them.
    Parquet,
}

impl fmt::Display for DataFormat {
    /// The name in a config file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Folder => "folder",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::Idx => "idx",
            Self::Voc => "voc",
            Self::List => "list",
            Self::WebDataset => "webdataset",
            Self::Parquet => "parquet",
        })
    }
}

/// The format of the set at `root`, never [`DataFormat::Auto`]. In this order:
/// 1. a text file (`.txt`, `.csv`, `.tsv`, `.lst`, or lines that name images): a list;
/// 2. the files of CIFAR-10 or CIFAR-100 there or in the archive's own folder, in the binary or the Python version; IDX files
///    by MNIST's names, there or where torchvision keeps them (`MNIST/raw`);
/// 3. folders that are splits with class folders, such as `train/` and `test/`: a folder of images;
/// 4. `JPEGImages/` next to `Annotations/` there or in a folder below (`VOCdevkit/VOC2007`): VOC;
/// 5. a `train.txt` (or `.csv`, `.tsv`, `.lst`), there or in `meta/`, that names images: a list;
/// 6. a folder of images, whether or not it holds any.
///
/// Before all these: a `.tar` or `.parquet` file, or a pattern of such (`train-{000..099}.tar`), or a folder that holds them
/// and no images, itself or in `train/` and the like: WebDataset and Parquet.
///
/// # Errors
/// [`DataError::MissingFolder`]; [`DataError::NotAFolder`] for a file that is not a list; [`DataError::Read`].
pub fn detect(root: impl AsRef<Path>) -> Result<DataFormat, DataError> {
    let root = root.as_ref();
    if let Some(format) = shards_at(root) {
        return Ok(format);
    }
    let metadata = root.metadata().map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => DataError::MissingFolder { path: root.into() },
        _ => DataError::Read {
            path: root.into(),
            source,
        },
    })?;
    if !metadata.is_dir() {
        return if metadata.is_file() && is_list(root) {
            Ok(DataFormat::List)
        } else {
            Err(DataError::NotAFolder { path: root.into() })
        };
    }
    let cifar = [
        (CifarKind::Cifar10, DataFormat::Cifar10),
        (CifarKind::Cifar100, DataFormat::Cifar100),
    ];
    if let Some((_, format)) = cifar.into_iter().find(|(kind, _)| kind.is_at(root)) {
        return Ok(format);
    }
    if IdxSet::is_at(root) {
        return Ok(DataFormat::Idx);
    }
    // The reader refuses it, and says where the binary version is.
    if let Some((_, format)) = cifar.into_iter().find(|(kind, _)| kind.is_python_at(root)) {
        return Ok(format);
    }
    if has_splits(root) {
        return Ok(DataFormat::Folder);
    }
    // Of several VOC sets the user must choose one; their folders must not be taken for classes.
    if matches!(find_voc(root), Ok(_) | Err(DataError::Voc(VocError::Several { .. }))) {
        return Ok(DataFormat::Voc);
    }
    Ok(match FoundLists::at(root) {
        Some(_) => DataFormat::List,
        None => DataFormat::Folder,
    })
}

/// The format of a set of shards.
fn shards_at(root: &Path) -> Option<DataFormat> {
    let kinds = [
        (ShardKind::Tar, DataFormat::WebDataset),
        (ShardKind::Parquet, DataFormat::Parquet),
    ];
    let is_at = |kind: ShardKind| match root.metadata() {
        Ok(metadata) if metadata.is_dir() => looks_like_shards(root, kind),
        Ok(metadata) => metadata.is_file() && kind.is_named(root),
        Err(_) => kind.is_pattern(root),
    };
    kinds
        .into_iter()
        .find(|(kind, _)| is_at(*kind))
        .map(|(_, format)| format)
}

/// Whether a file is passed as a list.
fn is_list(file: &Path) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str());
    let is_text = extension.is_some_and(|extension| {
        LIST_EXTENSIONS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(extension))
    });
    is_text || (!has_image_extension(file) && start_names_images(file))
}
