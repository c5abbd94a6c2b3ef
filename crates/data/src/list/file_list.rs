//! [`FileList`], a set of images that are listed in a text file.
//!
//! This file must not choose what is held out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barlow_augment::Image8;
use rayon::prelude::*;

use super::labels::{labels, wordnet_id};
use super::{ListError, ListLine, parse_list};
use crate::folder::shown;
use crate::index::Names;
use crate::read::{file_stamp, read_image};
use crate::{DataError, ImageSource};

/// Largest list that is read, in bytes: some ten million lines.
const MAX_LIST_BYTES: u64 = 1 << 30;

/// The images of a list.
#[derive(Debug, Clone)]
pub struct FileList {
    root: PathBuf,
    channels: usize,
    /// Below the root, or absolute.
    paths: Names,
    classes: Vec<String>,
    /// Class of each image; empty without labels.
    labels: Vec<usize>,
}

impl FileList {
    /// Opens the images that `list` names, in its order, each with `channels` channels (1, 3 or 4). Lines are parsed by
    /// [`parse_list`]. An image listed twice counts twice.
    ///
    /// A path is searched below `root` (the list's own folder if there is none), then below the list's own folder. Absolute
    /// paths and `..` are followed: the user is trusted with the list. A name without a folder that begins with a WordNet
    /// id, such as `n01440764_10026.JPEG`, is searched in `train/n01440764` and `n01440764` first.
    ///
    /// Classes are those that the lines name; or else the WordNet ids, if every file's name begins with one; or else the
    /// names of the folders of the images, if every path has one and they are not all the same. They are sorted;
    /// [`FileList::with_classes`] gives a subset the numbers of the whole set.
    ///
    /// # Errors
    /// [`ListError`] in a [`DataError`], the first in the list's order: no list, no line, a line that names no image or
    /// an image that is not found, a line without a class among others with one.
    pub fn open(list: impl AsRef<Path>, root: Option<&Path>, channels: usize) -> Result<Self, DataError> {
        let list = list.as_ref();
        let bytes = read_list(list)?;
        let lines = parse_list(&bytes).map_err(|bad| ListError::BadLine {
            path: list.into(),
            line: bad.number,
            reason: bad.reason,
        })?;
        if lines.is_empty() {
            return Err(ListError::Empty { path: list.into() }.into());
        }
        let (classes, labels) = labels(list, &lines)?;
        let folder = list.parent().unwrap_or(Path::new(""));
        // Absolute, so that it can be joined to any root.
        let beside = root.map(|_| std::path::absolute(folder_or_dot(folder)).unwrap_or(folder.into()));
        let root = root.unwrap_or(folder);
        let find = |line: &ListLine<'_>| {
            let places = places(line.path, beside.as_deref());
            let is_there = |place: &PathBuf| root.join(place).metadata().is_ok_and(|file| file.is_file());
            places
                .iter()
                .find(|place| is_there(place))
                .cloned()
                .ok_or_else(|| ListError::MissingFile {
                    path: list.into(),
                    line: line.number,
                    name: line.path.into(),
                    looked: looked(root, &places),
                })
        };
        let found: Vec<Result<PathBuf, ListError>> = lines.par_iter().map(find).collect();
        let mut paths = Names::default();
        for path in found {
            let path = path?;
            if !paths.push(path.as_os_str()) {
                return Err(DataError::NameNotUnicode { path });
            }
        }
        Ok(Self {
            root: root.into(),
            channels,
            paths,
            classes,
            labels,
        })
    }

    /// The same images with labels that are indices into `classes`, such as those of the whole set that this is a part of.
    ///
    /// # Errors
    /// [`DataError::UnknownClass`] when a class of this list is not among them.
    pub fn with_classes(mut self, classes: &[String]) -> Result<Self, DataError> {
        let places = crate::classes::places(&self.classes, classes, &self.root)?;
        self.labels = self.labels.iter().map(|&label| places[label]).collect();
        self.classes = classes.to_vec();
        Ok(self)
    }

    /// File of image `index`.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn path(&self, index: usize) -> PathBuf {
        self.root.join(self.paths.get(index))
    }
}

impl ImageSource for FileList {
    fn len(&self) -> usize {
        self.paths.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn label(&self, index: usize) -> Option<usize> {
        assert!(
            index < self.paths.len(),
            "image {index} of a set of {}",
            self.paths.len()
        );
        self.labels.get(index).copied()
    }

    fn name(&self, index: usize) -> String {
        let path = Path::new(self.paths.get(index));
        if path.is_absolute() {
            path.display().to_string()
        } else {
            shown(path)
        }
    }

    fn stamp(&self, index: usize) -> [u64; 2] {
        file_stamp(&self.path(index))
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        read_image(&self.path(index), self.channels).map(Arc::new)
    }
}

/// Candidate paths of a line's file, below the root or absolute.
fn places(path: &str, beside: Option<&Path>) -> Vec<PathBuf> {
    let mut places = Vec::with_capacity(4);
    let is_bare = Path::new(path).parent() == Some(Path::new(""));
    if let (true, Some(id)) = (is_bare, wordnet_id(path)) {
        places.push(Path::new("train").join(id).join(path));
        places.push(Path::new(id).join(path));
    }
    places.push(path.into());
    places.extend(beside.map(|folder| folder.join(path)));
    places
}

/// The folder, or `.` (the working directory) where a path has no folder.
fn folder_or_dot(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}

fn looked(root: &Path, places: &[PathBuf]) -> String {
    let mut shown: Vec<String> = places
        .iter()
        .map(|place| root.join(place).display().to_string())
        .collect();
    // For an absolute path both are the same.
    shown.dedup();
    shown.join(", ")
}

fn read_list(list: &Path) -> Result<Vec<u8>, DataError> {
    let read_error = |source| DataError::Read {
        path: list.into(),
        source,
    };
    let metadata = match fs::metadata(list) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(ListError::Missing { path: list.into() }.into());
        }
        Err(error) => return Err(read_error(error)),
    };
    if metadata.len() > MAX_LIST_BYTES {
        let reason = format!("{} bytes are over the limit of {MAX_LIST_BYTES}", metadata.len());
        return Err(read_error(std::io::Error::other(reason)));
    }
    fs::read(list).map_err(read_error)
}
