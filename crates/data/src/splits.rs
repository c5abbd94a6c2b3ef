//! The training and test images of a set of any format, with one numbering of the classes.
//!
//! This file must not split a set by itself: what is held out is the caller's decision.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::split_names::TEST_NAMES;
use crate::voc::{VocSet, find_voc};
use crate::{CifarKind, CifarSet, DataError, DataFormat, FileList, FolderLayout, IdxSet, ImageFolder, ImageSource};
use crate::{IndexCache, IndexNote, ListError, detect};

/// How a set is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOptions {
    /// Its layout, or [`DataFormat::Auto`].
    pub format: DataFormat,
    /// Number of channels that images are returned with.
    pub channels: usize,
    /// Where the indexes of large folders are stored; without it folders are listed each time.
    pub index_cache: Option<IndexCache>,
    /// The folder of a list's images, if they are not next to it. Other formats ignore it.
    pub list_root: Option<PathBuf>,
}

impl Default for OpenOptions {
    /// Any format, 3 channels, no cache.
    fn default() -> Self {
        Self {
            format: DataFormat::Auto,
            channels: 3,
            index_cache: None,
            list_root: None,
        }
    }
}

/// Training images and, if the set has them, test images. Labels of both are indices into the training classes.
#[derive(Clone)]
pub struct Splits {
    /// The images to train on.
    pub train: Arc<dyn ImageSource>,
    /// The images to evaluate on.
    pub test: Option<Arc<dyn ImageSource>>,
    /// The detected format of the set, never [`DataFormat::Auto`].
    pub format: DataFormat,
    /// The layout of the training images, in the format [`DataFormat::Folder`].
    pub layout: Option<FolderLayout>,
    /// Whether the indexes of the training and the test images were read or stored, where a cache was given.
    pub index: Vec<IndexNote>,
}

impl Splits {
    /// Opens the set at `root`:
    /// - a folder: `root/train` with the first of `root/test`, `val`, `valid`, `validation`; without `train`, the root is
    ///   the training set itself. Test images without class folders are taken as they are, without labels;
    /// - CIFAR and IDX: their training and test files;
    /// - VOC: `trainval` with `test` where both are listed, else `train` with `test` or `val`, else what is listed of
    ///   `trainval` and `train`; without any lists all images are training images;
    /// - a list: the file is the training set; of a folder, `train.txt` with the first of `test.txt`, `val.txt`,
    ///   `valid.txt`, `validation.txt`.
    ///
    /// # Errors
    /// [`DataError::FileChannels`], those of [`detect`] and of the formats' own `open`, and [`DataError::UnknownClass`] for a
    /// test class without training images.
    pub fn open(root: impl AsRef<Path>, options: &OpenOptions) -> Result<Self, DataError> {
        let root = root.as_ref();
        let format = match options.format {
            DataFormat::Auto => detect(root)?,
            // For every other format: a file is not a folder.
            format if format != DataFormat::List && root.is_file() => {
                return Err(DataError::NotAFolder { path: root.into() });
            }
            format => format,
        };
        let channels = options.channels;
        let is_of_files = matches!(format, DataFormat::Folder | DataFormat::Voc | DataFormat::List);
        if is_of_files && !matches!(channels, 1 | 3 | 4) {
            return Err(DataError::FileChannels { channels });
        }
        let cifar = |kind| Ok(Self::of(format, CifarSet::open_splits(root, kind, channels)?));
        match format {
            DataFormat::Auto | DataFormat::Folder => Self::folder(root, options),
            DataFormat::Cifar10 => cifar(CifarKind::Cifar10),
            DataFormat::Cifar100 => cifar(CifarKind::Cifar100),
            DataFormat::Idx => Ok(Self::of(format, IdxSet::open_splits(root, channels)?)),
            DataFormat::Voc => Ok(Self::of(format, voc(root, channels)?)),
            DataFormat::List => Ok(Self::of(format, lists(root, options)?)),
        }
    }

    fn of<S: ImageSource + 'static>(format: DataFormat, (train, test): (S, Option<S>)) -> Self {
        Self {
            train: Arc::new(train),
            test: test.map(|test| Arc::new(test) as Arc<dyn ImageSource>),
            format,
            layout: None,
            index: Vec::new(),
        }
    }

    fn folder(root: &Path, options: &OpenOptions) -> Result<Self, DataError> {
        let mut notes = Vec::new();
        let mut open = |path: &Path| match &options.index_cache {
            None => ImageFolder::open(path, options.channels),
            Some(cache) => ImageFolder::open_cached(path, options.channels, cache).map(|(folder, note)| {
                notes.push(note);
                folder
            }),
        };
        let (train, test) = if root.join("train").is_dir() {
            let train = open(&root.join("train"))?;
            let test = TEST_NAMES
                .map(|name| root.join(name))
                .into_iter()
                .find(|path| path.is_dir());
            let test = test
                .map(|path| open(&path)?.with_classes(train.classes()))
                .transpose()?;
            (train, test)
        } else {
            (open(root)?, None)
        };
        let layout = Some(train.layout());
        let splits = Self::of(DataFormat::Folder, (train, test));
        Ok(Self {
            layout,
            index: notes,
            ..splits
        })
    }
}

impl fmt::Debug for Splits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Splits")
            .field("train", &self.train.len())
            .field("test", &self.test.as_ref().map(|test| test.len()))
            .field("format", &self.format)
            .field("layout", &self.layout)
            .field("index", &self.index)
            .finish()
    }
}

fn voc(root: &Path, channels: usize) -> Result<(VocSet, Option<VocSet>), DataError> {
    let root = find_voc(root)?;
    let has = |split: &&str| VocSet::has_split(&root, split);
    let listed = TEST_NAMES.into_iter().find(has);
    let (train, test) = match listed {
        Some("test") => (["trainval", "train"].into_iter().find(has), listed),
        _ if has(&"train") => (Some("train"), listed),
        _ => (Some("trainval").filter(has), None),
    };
    let Some(train) = train else {
        // A set without any lists, or one whose training list is missing.
        return if root.join("ImageSets").join("Main").is_dir() {
            VocSet::open(&root, "train", channels).map(|train| (train, None))
        } else {
            VocSet::open_all(&root, channels).map(|train| (train, None))
        };
    };
    let train = VocSet::open(&root, train, channels)?;
    let test = test.map(|test| VocSet::open(&root, test, channels)?.with_classes(train.classes()));
    let test = test.transpose()?;
    Ok((train, test))
}

fn lists(root: &Path, options: &OpenOptions) -> Result<(FileList, Option<FileList>), DataError> {
    let list_root = options.list_root.as_deref();
    if !root.is_dir() {
        return Ok((FileList::open(root, list_root, options.channels)?, None));
    }
    let train = root.join("train.txt");
    if !train.is_file() {
        return Err(ListError::NoTrainList { path: root.into() }.into());
    }
    let train = FileList::open(train, list_root, options.channels)?;
    let test = TEST_NAMES.map(|name| root.join(format!("{name}.txt")));
    let test = test
        .into_iter()
        .find(|path| path.is_file())
        .map(|path| FileList::open(path, list_root, options.channels)?.with_classes(train.classes()));
    let test = test.transpose()?;
    Ok((train, test))
}
