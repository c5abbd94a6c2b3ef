//! The training and test images of a set of any format, with one numbering of the classes.
//!
//! Which folders of a set are splits is decided in `layout`. This file must not split a set by itself: what is held out is the
//! caller's decision.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::index::FolderReading;
use crate::layout::{EvaluationFolder, EvaluationLabels, FolderSplits, decide, evaluation_folder, read_annotations};
use crate::list::ListOptions;
use crate::lists::{FoundLists, find_lists, list_beside};
use crate::parquet::ParquetSet;
use crate::path_names::shown;
use crate::shards::{ShardKind, ShardedSet, find_shards, open_splits};
use crate::voc::{VocSet, find_voc};
use crate::{
    BadImages, CifarKind, CifarSet, DataError, DataFormat, FileList, FolderLayout, IdxSet, ImageFolder, ImageSource,
};
use crate::{IndexCache, IndexNote, LeftOut, LeftOutReason, ListColumns, ListError, WebDataset, detect};

/// How a set is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOptions {
    /// Its layout, or [`DataFormat::Auto`].
    pub format: DataFormat,
    /// Number of channels that images are returned with.
    pub channels: usize,
    /// Where the indexes of large folders are stored; without it folders are listed each time.
    pub index_cache: Option<IndexCache>,
    /// The folder or the list of the training images, below the set's folder, if it is not found by its name. Of a folder, the
    /// folders in it are classes.
    pub train: Option<PathBuf>,
    /// The folder or the list of the test images, as [`OpenOptions::train`].
    pub test: Option<PathBuf>,
    /// The folder that the paths of a list begin at, if it is not found by itself. Other formats ignore it.
    pub list_root: Option<PathBuf>,
    /// The columns of a list that is a table. Other formats ignore it.
    pub columns: Option<ListColumns>,
    /// What to do about a bad line of a list, and about what cannot be used of a set of shards.
    pub bad_images: BadImages,
}

impl Default for OpenOptions {
    /// Any format, 3 channels, no cache, everything found by its name; a bad line is an error.
    fn default() -> Self {
        Self {
            format: DataFormat::Auto,
            channels: 3,
            index_cache: None,
            train: None,
            test: None,
            list_root: None,
            columns: None,
            bad_images: BadImages::Error,
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
    /// Files, folders and lines that are not among the images.
    pub left_out: LeftOut,
    /// What was taken where something else was possible, and how to choose: a line each, for the user.
    pub notes: Vec<String>,
    /// The folders below the set's folder that the names of the training and of the test images begin at; empty where they begin
    /// at the set's folder.
    pub folders: [PathBuf; 2],
}

/// One of the splits while a set is opened.
enum Part {
    Folder(ImageFolder),
    List(FileList),
}

impl Splits {
    /// Opens the set at `root`:
    /// - a folder: the folder that is called like a training split (`train`, `Training`, `train2017`, `cars_train`, ..), with one
    ///   called like an evaluation split (`test`, `val`, `valid`, `validation`, `dev`, ..): `test` first, but one with labels
    ///   before one without. A folder of such a name next to class folders is a class. Without splits, the root is the training
    ///   set itself. Test images without class folders are taken as they are, without labels;
    /// - CIFAR and IDX: their training and test files;
    /// - VOC: `trainval` with `test` where both are listed, else `train` with `test` or `val`, else what is listed of
    ///   `trainval` and `train`; without any lists all images are training images;
    /// - a list: the file is the training set; of a folder, `train.txt` (or `.csv`, `.tsv`, `.lst`; there or in `meta/`) with the
    ///   first of `test`, `testing`, `val`, `valid`, `validation`, `dev`;
    /// - WebDataset and Parquet: shards by the split that their path names, `test` before `validation` unless only the
    ///   latter has labels; without such names all are training images.
    ///
    /// # Errors
    /// [`DataError::FileChannels`], [`DataError::UnclearFolders`], [`DataError::NamedSplits`], those of [`detect`] and of the
    /// formats' own `open`, and [`DataError::UnknownClass`] for a test class without training images.
    pub fn open(root: impl AsRef<Path>, options: &OpenOptions) -> Result<Self, DataError> {
        let root = root.as_ref();
        let is_named = options.train.is_some() || options.test.is_some();
        let format = match options.format {
            DataFormat::Auto => detect(root)?,
            // For every other format: a file is not a folder.
            format
                if !matches!(format, DataFormat::List | DataFormat::WebDataset | DataFormat::Parquet)
                    && root.is_file() =>
            {
                return Err(DataError::NotAFolder { path: root.into() });
            }
            format => format,
        };
        let channels = options.channels;
        let is_of_files = !matches!(format, DataFormat::Cifar10 | DataFormat::Cifar100 | DataFormat::Idx);
        if is_of_files && !matches!(channels, 1 | 3 | 4) {
            return Err(DataError::FileChannels { channels });
        }
        if is_named && !matches!(format, DataFormat::Auto | DataFormat::Folder | DataFormat::List) {
            return Err(DataError::NamedSplits {
                path: root.into(),
                format: format.to_string(),
            });
        }
        let cifar = |kind| Ok(Self::of(format, CifarSet::open_splits(root, kind, channels)?));
        match format {
            DataFormat::Auto | DataFormat::Folder => Self::folder(root, options),
            DataFormat::Cifar10 => cifar(CifarKind::Cifar10),
            DataFormat::Cifar100 => cifar(CifarKind::Cifar100),
            DataFormat::Idx => Ok(Self::of(format, IdxSet::open_splits(root, channels)?)),
            DataFormat::Voc => Ok(Self::of(format, voc(root, channels)?)),
            DataFormat::List => Self::lists(root, options),
            DataFormat::WebDataset => Self::sharded(root, format, ShardKind::Tar, &|shards| {
                WebDataset::opened(shards, root, channels, options.bad_images, options.index_cache.as_ref())
            }),
            DataFormat::Parquet => Self::sharded(root, format, ShardKind::Parquet, &|shards| {
                ParquetSet::opened(shards, root, channels, options.bad_images)
            }),
        }
    }

    fn of<S: ImageSource + 'static>(format: DataFormat, (train, test): (S, Option<S>)) -> Self {
        Self {
            train: Arc::new(train),
            test: test.map(|test| Arc::new(test) as Arc<dyn ImageSource>),
            format,
            layout: None,
            index: Vec::new(),
            left_out: LeftOut::default(),
            notes: Vec::new(),
            folders: [PathBuf::new(), PathBuf::new()],
        }
    }

    fn sharded<S: ShardedSet + 'static>(
        root: &Path,
        format: DataFormat,
        kind: ShardKind,
        open: &dyn Fn(Vec<PathBuf>) -> Result<crate::shards::Opened<S>, DataError>,
    ) -> Result<Self, DataError> {
        let opened = open_splits(find_shards(root, kind)?, open)?;
        let mut left_out = LeftOut::default();
        for part in opened.left_out {
            left_out.add_many(LeftOutReason::OfShards(part.reason), part.count as u64, part.first);
        }
        Ok(Self {
            index: opened.index,
            left_out,
            ..Self::of(format, (opened.train, opened.test))
        })
    }

    fn folder(root: &Path, options: &OpenOptions) -> Result<Self, DataError> {
        let decided = match &options.train {
            Some(train) => FolderSplits {
                train: named(root, train),
                reading: FolderReading::Split,
                test: None,
                notes: Vec::new(),
                left_out: LeftOut::default(),
            },
            None => decide(root)?,
        };
        let FolderSplits {
            train,
            reading,
            mut test,
            mut notes,
            mut left_out,
        } = decided;
        let mut named_list = None;
        if let Some(path) = &options.test {
            let path = named(root, path);
            test = None;
            if path.is_file() {
                named_list = Some(path);
            } else {
                test = Some(evaluation_folder(&path, &train)?);
            }
        }
        let mut index = Vec::new();
        let below = |path: &Path| path.strip_prefix(root).unwrap_or(path).to_owned();
        let train_part = if train.is_file() {
            Part::List(FileList::open_with(&train, &list_options(options))?)
        } else {
            let (folder, note) = ImageFolder::open_as(&train, reading, options.channels, options.index_cache.as_ref())?;
            index.extend(note);
            left_out.merge_below(&below(&train), folder.left_out().clone());
            Part::Folder(folder)
        };
        let layout = match &train_part {
            Part::Folder(folder) => Some(folder.layout()),
            Part::List(_) => None,
        };
        if layout == Some(FolderLayout::Nested) {
            notes.push(
                "the images lie in folders of folders, so they have no labels; --set data.train=. takes the folders at the top \
                 as classes"
                    .to_owned(),
            );
        }
        // Without splits, a set with such lists is read by them unless the format was given.
        let may_have_lists = reading == FolderReading::Split || options.format != DataFormat::Auto;
        if options.train.is_none() && may_have_lists && FoundLists::at(root).is_some() {
            notes.push(
                "folders are taken, and the lists next to them are not; --set data.format=list takes the lists"
                    .to_owned(),
            );
        } else if options.train.is_none()
            && train_part.classes().is_empty()
            && let Some(list) = list_beside(root)
        {
            notes.push(format!(
                "the images have no labels; {} names images, and is read with --data {}",
                shown(&below(&list)),
                list.display()
            ));
        }
        let is_folder = |path: &Path| !path.is_file();
        let folder_of = |path: Option<&Path>| path.filter(|path| is_folder(path)).map_or_else(PathBuf::new, &below);
        let folders = [
            folder_of(Some(&train)),
            folder_of(test.as_ref().map(|test| test.path.as_path())),
        ];
        let classes = train_part.classes().to_vec();
        let test = match (test, named_list) {
            (_, Some(list)) => Some(
                FileList::open_with(list, &list_options(options))?
                    .with_classes(&classes)?
                    .into_source(),
            ),
            (Some(test), None) => {
                let opened = open_evaluation(&test, &classes, options, &mut index, &mut left_out, &below(&test.path));
                match opened {
                    // An empty folder of a skeleton: said, and no reason to stop.
                    Err(DataError::NoImages { path, .. }) if options.test.is_none() => {
                        notes.push(format!("{}/ holds no images", shown(&below(&path))));
                        None
                    }
                    opened => Some(opened?),
                }
            }
            (None, None) => None,
        };
        if let Part::List(list) = &train_part {
            left_out.merge(list.left_out().clone());
            notes.extend(list.notes().iter().cloned());
        }
        Ok(Self {
            train: train_part.into_source(),
            test,
            format: if layout.is_some() {
                DataFormat::Folder
            } else {
                DataFormat::List
            },
            layout,
            index,
            left_out,
            notes,
            folders,
        })
    }

    fn lists(root: &Path, options: &OpenOptions) -> Result<Self, DataError> {
        let list_options = list_options(options);
        let mut notes = Vec::new();
        let (train, test) = match (&options.train, root.is_dir()) {
            (Some(train), _) => (named(root, train), None),
            (None, false) => (root.to_owned(), None),
            (None, true) => {
                let found = find_lists(root).ok_or_else(|| ListError::NoTrainList { path: root.into() })?;
                let of = |path: &Path| shown(path.strip_prefix(root).unwrap_or(path));
                if options.format == DataFormat::Auto {
                    let and = found
                        .test
                        .as_ref()
                        .map_or(String::new(), |test| format!(" and {}", of(test)));
                    notes.push(format!(
                        "the lists {}{and} are taken; --set data.format=folder takes the folders of images",
                        of(&found.train)
                    ));
                }
                (found.train, found.test)
            }
        };
        let test = options.test.as_ref().map(|test| named(root, test)).or(test);
        let train = FileList::open_with(train, &list_options)?;
        let mut left_out = train.left_out().clone();
        notes.extend(train.notes().iter().cloned());
        let test = match test {
            Some(test) if test.is_dir() => {
                let (folder, _) = ImageFolder::open_as(&test, FolderReading::Split, options.channels, None)?;
                left_out.merge(folder.left_out().clone());
                Some(Arc::new(folder.with_classes(train.classes())?) as Arc<dyn ImageSource>)
            }
            Some(test) => {
                let test = FileList::open_with(test, &list_options)?;
                left_out.merge(test.left_out().clone());
                // Lists without classes: their images have none, whatever folders they lie in.
                let test = if train.classes().is_empty() {
                    test.without_labels()
                } else {
                    test
                };
                let test = if test.classes().is_empty() {
                    test
                } else {
                    test.with_classes(train.classes())?
                };
                Some(test.into_source())
            }
            None => None,
        };
        Ok(Self {
            train: train.into_source(),
            test,
            left_out,
            notes,
            folders: [PathBuf::new(), PathBuf::new()],
            format: DataFormat::List,
            layout: None,
            index: Vec::new(),
        })
    }
}

impl Part {
    fn classes(&self) -> &[String] {
        match self {
            Self::Folder(folder) => folder.classes(),
            Self::List(list) => list.classes(),
        }
    }

    fn into_source(self) -> Arc<dyn ImageSource> {
        match self {
            Self::Folder(folder) => Arc::new(folder),
            Self::List(list) => Arc::new(list),
        }
    }
}

impl FileList {
    fn into_source(self) -> Arc<dyn ImageSource> {
        Arc::new(self)
    }
}

/// A folder or list that the user named, below the set's folder or next to its list.
fn named(root: &Path, path: &Path) -> PathBuf {
    let folder = if root.is_file() {
        root.parent().unwrap_or(Path::new(""))
    } else {
        root
    };
    // `.` is the folder itself: its own name matters for what lies in it.
    let below: PathBuf = path
        .components()
        .filter(|part| *part != std::path::Component::CurDir)
        .collect();
    if below.as_os_str().is_empty() {
        folder.into()
    } else {
        folder.join(below)
    }
}

fn list_options(options: &OpenOptions) -> ListOptions {
    ListOptions {
        root: options.list_root.clone(),
        channels: options.channels,
        columns: options.columns.clone(),
        bad_images: options.bad_images,
    }
}

/// The images to evaluate on, with labels that are indices into the training classes, or without.
fn open_evaluation(
    test: &EvaluationFolder,
    classes: &[String],
    options: &OpenOptions,
    index: &mut Vec<IndexNote>,
    left_out: &mut LeftOut,
    below: &Path,
) -> Result<Arc<dyn ImageSource>, DataError> {
    let cache = options.index_cache.as_ref();
    let (folder, note) = ImageFolder::open_as(&test.path, FolderReading::Split, options.channels, cache)?;
    index.extend(note);
    if let EvaluationLabels::Annotations(file) = &test.labels {
        let labels = read_annotations(file)?;
        let list = FileList::of_labels(&folder, &labels, options.channels)?;
        left_out.merge_below(below, list.left_out().clone());
        return Ok(list.with_classes(classes)?.into_source());
    }
    left_out.merge_below(below, folder.left_out().clone());
    Ok(match test.labels {
        EvaluationLabels::Folders => Arc::new(folder.with_classes(classes)?),
        _ => Arc::new(folder.without_labels()),
    })
}

impl fmt::Debug for Splits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Splits")
            .field("train", &self.train.len())
            .field("test", &self.test.as_ref().map(|test| test.len()))
            .field("format", &self.format)
            .field("layout", &self.layout)
            .field("index", &self.index)
            .field("left_out", &self.left_out)
            .field("notes", &self.notes)
            .finish()
    }
}

fn voc(root: &Path, channels: usize) -> Result<(VocSet, Option<VocSet>), DataError> {
    let root = find_voc(root)?;
    let has = |split: &&str| VocSet::has_split(&root, split);
    let listed = ["test", "val", "valid", "validation"].into_iter().find(has);
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
