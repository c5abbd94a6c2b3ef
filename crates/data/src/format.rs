//! Detection of the data set format at a path, by a few names in it.
//!
//! This file must not read a set: its reader checks whether it is complete and valid.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::index::has_image_extension;
use crate::list::looks_like_a_list;
use crate::voc::{VocError, find_voc};
use crate::{CifarKind, DataError, IdxSet};

/// Extensions of text files that are taken for lists without reading them.
const LIST_EXTENSIONS: [&str; 4] = ["txt", "csv", "tsv", "lst"];

/// Bytes of another file that are read to recognise a list.
const LOOKED_AT: u64 = 64 << 10;

/// Layout of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataFormat {
    /// Detect it ([`detect`]).
    #[default]
    Auto,
    /// Image files: a folder per class, below `train/` and `test/` (or `val/`) or at the top; or without labels, in one
    /// folder or in folders of folders.
    Folder,
    /// CIFAR-10, binary version.
    Cifar10,
    /// CIFAR-100, binary version, with its 100 fine classes.
    Cifar100,
    /// IDX files as of MNIST and Fashion-MNIST.
    Idx,
    /// Pascal VOC: `JPEGImages`, `Annotations` and, for splits, `ImageSets/Main`.
    Voc,
    /// A text file of image paths, or a folder with `train.txt`.
    List,
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
        })
    }
}

/// The format of the set at `root`, never [`DataFormat::Auto`]. In this order:
/// 1. a text file (`.txt`, `.csv`, `.tsv`, `.lst`, or lines that name images): a list;
/// 2. `data_batch_1.bin` or `cifar-10-batches-bin/`: CIFAR-10; `train.bin` next to `fine_label_names.txt` or
///    `cifar-100-binary/`: CIFAR-100; IDX files by MNIST's names: IDX;
/// 3. no `train/` in it, and `JPEGImages/` next to `Annotations/` there or in a folder below (`VOCdevkit/VOC2007`): VOC;
/// 4. no `train/` in it, and a `train.txt` whose lines name images: a list;
/// 5. a folder of images, whether or not it holds any.
///
/// # Errors
/// [`DataError::MissingFolder`]; [`DataError::NotAFolder`] for a file that is not a list; [`DataError::Read`].
pub fn detect(root: impl AsRef<Path>) -> Result<DataFormat, DataError> {
    let root = root.as_ref();
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
    for (kind, format) in [
        (CifarKind::Cifar10, DataFormat::Cifar10),
        (CifarKind::Cifar100, DataFormat::Cifar100),
    ] {
        if kind.is_at(root) {
            return Ok(format);
        }
    }
    if IdxSet::is_at(root) {
        return Ok(DataFormat::Idx);
    }
    if root.join("train").is_dir() {
        return Ok(DataFormat::Folder);
    }
    // Of several VOC sets the user must choose one; their folders must not be taken for classes.
    if matches!(find_voc(root), Ok(_) | Err(DataError::Voc(VocError::Several { .. }))) {
        return Ok(DataFormat::Voc);
    }
    let list = root.join("train.txt");
    Ok(if list.is_file() && start_looks_like_a_list(&list) {
        DataFormat::List
    } else {
        DataFormat::Folder
    })
}

/// Whether a file is passed as a list.
fn is_list(file: &Path) -> bool {
    let extension = file.extension().and_then(|extension| extension.to_str());
    let is_text = extension.is_some_and(|extension| {
        LIST_EXTENSIONS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(extension))
    });
    is_text || (!has_image_extension(file) && start_looks_like_a_list(file))
}

fn start_looks_like_a_list(file: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(file).and_then(|file| file.take(LOOKED_AT).read_to_end(&mut start));
    read.is_ok() && looks_like_a_list(&start)
}
