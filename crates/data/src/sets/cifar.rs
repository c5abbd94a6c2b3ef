//! CIFAR-10 and CIFAR-100, binary version: a few files that are read once and held in memory unchanged.
//!
//! Images are cut out of the records on request. This file must not know how a record is laid out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use barlow_augment::{ChannelsError, Image8, PlanarImage8};

use super::cifar_records::split_record;
use super::files::read_whole;
use super::{CIFAR_SIDE, CifarKind, SetError, Split, check_cifar_records, parse_cifar_names};
use crate::{DataError, ImageSource};

/// Largest file that is read: the largest published one has 154 MB.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// One split of CIFAR in memory, 3 KB an image.
#[derive(Clone)]
pub struct CifarSet {
    kind: CifarKind,
    channels: usize,
    classes: Vec<String>,
    /// Complete records, one file after the other.
    records: Vec<u8>,
    files: Vec<Part>,
}

/// The position of a file's records.
#[derive(Clone)]
struct Part {
    name: &'static str,
    first: usize,
}

impl CifarSet {
    /// Reads one split from the folder of the files, or from the folder into which the archive was unpacked.
    /// Images are returned with `channels` channels: 3, or 1 (grey) or 4 (opaque).
    ///
    /// # Errors
    /// [`SetError::MissingPart`] for a file that is not there, [`SetError::Cifar`] for a damaged one,
    /// [`SetError::Channels`], [`DataError::MissingFolder`], [`DataError::Read`].
    pub fn open(root: impl AsRef<Path>, kind: CifarKind, split: Split, channels: usize) -> Result<Self, DataError> {
        let folder = find_folder(root.as_ref(), kind)?;
        let names_file = kind.names_file();
        let fault = |name: &str| {
            let path = folder.join(name);
            move |fault| DataError::Set(SetError::Cifar { path, fault })
        };
        // The existence of every part is checked before the first is read.
        for file in kind.files(split).iter().chain([&names_file]) {
            if !folder.join(file).exists() {
                return Err(DataError::Set(SetError::MissingPart {
                    folder,
                    file: (*file).into(),
                    set: kind.set_name(),
                }));
            }
        }
        let names = read_whole(&folder.join(names_file), MAX_FILE_BYTES)?;
        let mut set = Self {
            kind,
            channels,
            classes: parse_cifar_names(kind, &names).map_err(fault(names_file))?,
            records: Vec::new(),
            files: Vec::new(),
        };
        for name in kind.files(split) {
            let bytes = read_whole(&folder.join(name), MAX_FILE_BYTES)?;
            check_cifar_records(kind, &bytes).map_err(fault(name))?;
            let first = set.len();
            set.files.push(Part { name, first });
            if set.records.is_empty() {
                set.records = bytes;
            } else {
                set.records.extend(bytes);
            }
        }
        // Every image has the same channels: if the first can be converted, all can.
        set.cut(0).map_err(|reason| SetError::Channels {
            what: kind.set_name().into(),
            reason,
        })?;
        Ok(set)
    }

    /// Both splits; no test split if its file is missing.
    ///
    /// # Errors
    /// As [`CifarSet::open`].
    pub fn open_splits(
        root: impl AsRef<Path>,
        kind: CifarKind,
        channels: usize,
    ) -> Result<(Self, Option<Self>), DataError> {
        let folder = find_folder(root.as_ref(), kind)?;
        let train = Self::open(&folder, kind, Split::Train, channels)?;
        let has_test = kind.files(Split::Test).iter().all(|file| folder.join(file).exists());
        let test = has_test.then(|| Self::open(&folder, kind, Split::Test, channels));
        Ok((train, test.transpose()?))
    }

    /// The kind of the set.
    #[must_use]
    pub fn kind(&self) -> CifarKind {
        self.kind
    }

    fn cut(&self, index: usize) -> Result<Image8, ChannelsError> {
        let planes = self.record(index).1.to_vec();
        Image8::from(PlanarImage8::new(3, CIFAR_SIDE, CIFAR_SIDE, planes)).into_channels(self.channels)
    }

    fn record(&self, index: usize) -> (usize, &[u8]) {
        let (bytes, len) = (self.kind.record_bytes(), self.len());
        assert!(index < len, "image {index} of a set of {len}");
        split_record(self.kind, &self.records[index * bytes..][..bytes])
    }
}

impl CifarKind {
    /// Whether `root`, or the archive's own folder in it, holds files of this set.
    #[must_use]
    pub fn is_at(self, root: &Path) -> bool {
        [root.to_owned(), root.join(self.archive_folder())]
            .iter()
            .any(|folder| self.has_files(folder))
    }

    /// Whether `root`, or the archive's own folder in it, holds the Python version of this set, which is not read.
    #[must_use]
    pub fn is_python_at(self, root: &Path) -> bool {
        [root.to_owned(), root.join(self.python_folder())]
            .iter()
            .any(|folder| self.has_python_files(folder))
    }

    fn has_python_files(self, folder: &Path) -> bool {
        let names: &[&str] = if self == Self::Cifar10 {
            &["data_batch_1", "batches.meta"]
        } else {
            &["train", "test", "meta"]
        };
        names.iter().all(|name| folder.join(name).is_file())
    }

    fn python_folder(self) -> &'static str {
        if self == Self::Cifar10 {
            "cifar-10-batches-py"
        } else {
            "cifar-100-python"
        }
    }

    fn has_files(self, folder: &Path) -> bool {
        let (train, test) = (self.files(Split::Train), self.files(Split::Test));
        // `train.bin` alone could belong to any set: the file of class names identifies CIFAR-100.
        let names = self == Self::Cifar10 || folder.join(self.names_file()).is_file();
        names && train.iter().chain(test).any(|file| folder.join(file).is_file())
    }

    fn archive_folder(self) -> &'static str {
        if self == Self::Cifar10 {
            "cifar-10-batches-bin"
        } else {
            "cifar-100-binary"
        }
    }

    fn set_name(self) -> &'static str {
        if self == Self::Cifar10 { "CIFAR-10" } else { "CIFAR-100" }
    }

    fn names_file(self) -> &'static str {
        match self {
            Self::Cifar10 => "batches.meta.txt",
            Self::Cifar100 => "fine_label_names.txt",
            Self::Cifar100Coarse => "coarse_label_names.txt",
        }
    }

    fn files(self, split: Split) -> &'static [&'static str] {
        match (self, split) {
            (Self::Cifar10, Split::Train) => &[
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
            ],
            (Self::Cifar10, Split::Test) => &["test_batch.bin"],
            (_, Split::Train) => &["train.bin"],
            (_, Split::Test) => &["test.bin"],
        }
    }
}

/// The folder that holds the files: `root`, or the archive's own folder in it.
fn find_folder(root: &Path, kind: CifarKind) -> Result<PathBuf, DataError> {
    if !root.is_dir() {
        return Err(DataError::MissingFolder { path: root.into() });
    }
    let below = root.join(kind.archive_folder());
    let folder = if below.is_dir() && !kind.has_files(root) {
        below
    } else {
        root.to_owned()
    };
    let python = ["data_batch_1", "train", "cifar-10-batches-py", "cifar-100-python"];
    let is_python = |name: &str| folder.join(name).is_file() || (name.contains('-') && folder.join(name).is_dir());
    if !kind.has_files(&folder) && python.iter().any(|name| is_python(name)) {
        return Err(DataError::Set(SetError::PythonCifar { folder }));
    }
    Ok(folder)
}

impl ImageSource for CifarSet {
    fn len(&self) -> usize {
        self.records.len() / self.kind.record_bytes()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn label(&self, index: usize) -> Option<usize> {
        Some(self.record(index).0)
    }

    /// The file and the record in it, such as `test_batch.bin#17`.
    fn name(&self, index: usize) -> String {
        assert!(index < self.len(), "image {index} of a set of {}", self.len());
        let part = self.files.iter().rfind(|part| part.first <= index);
        part.map(|part| format!("{}#{}", part.name, index - part.first))
            .unwrap_or_default()
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        let image = self.cut(index);
        Ok(Arc::new(
            image.expect("the channels were checked when the set was opened"),
        ))
    }
}
