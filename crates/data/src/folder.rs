//! [`ImageFolder`], a folder of images: one folder per class, or images alone. Opening lists names and decodes nothing.
//!
//! This file must not know splits or batches, nor how a folder is listed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use barlow_augment::Image8;

use crate::classes::places;
use crate::index::scan;
use crate::index::{FolderIndex, FolderLayout};
use crate::index::{IndexCache, IndexNote};
use crate::read::{file_stamp, read_image};
use crate::{DataError, ImageSource};

/// The images below one folder.
#[derive(Debug, Clone)]
pub struct ImageFolder {
    root: PathBuf,
    channels: usize,
    index: FolderIndex,
    classes: Vec<String>,
    /// Label of the images in each folder; empty without labels.
    labels: Vec<usize>,
}

impl ImageFolder {
    /// Lists `root/CLASS/*.jpg` (a set with labels) or `root/*.jpg` (without). If neither `root` nor a folder one level
    /// below holds an image, those in folders of any depth (`root/2021/05/*.jpg`) are taken, without labels; links to
    /// folders are followed one level below `root` only.
    ///
    /// Images are sorted by folder, then by name, each compared byte by byte. Hidden files and other kinds of files are
    /// ignored; a file is recognised by its name here, by its content when it is read. A name that is not Unicode still
    /// refers to its file, and is shown with replacement characters. Images are returned with `channels` channels: 1, 3 or
    /// 4 ([`barlow_augment::decode_channels`]).
    ///
    /// # Errors
    /// [`DataError`] when the folder is missing, is not a folder, holds no image, holds images next to folders, has a class
    /// folder without images, or holds a data set with splits somewhere below.
    pub fn open(root: impl AsRef<Path>, channels: usize) -> Result<Self, DataError> {
        let root = root.as_ref();
        Ok(Self::from_index(root, scan(root)?.index, channels))
    }

    /// As [`ImageFolder::open`], with the list of names read from `cache` while it is up to date and stored there otherwise.
    ///
    /// # Errors
    /// As [`ImageFolder::open`]; the cache never causes an error.
    pub fn open_cached(
        root: impl AsRef<Path>,
        channels: usize,
        cache: &IndexCache,
    ) -> Result<(Self, IndexNote), DataError> {
        let root = root.as_ref();
        let (index, note) = cache.index(root)?;
        Ok((Self::from_index(root, index, channels), note))
    }

    /// The images of an index, unchecked. The disk is not accessed until an image is requested.
    #[must_use]
    pub fn from_index(root: impl Into<PathBuf>, index: FolderIndex, channels: usize) -> Self {
        let classes: Vec<String> = match index.layout() {
            FolderLayout::Classes => index
                .folders()
                .iter()
                .map(|name| name.to_string_lossy().into())
                .collect(),
            FolderLayout::Flat | FolderLayout::Nested => Vec::new(),
        };
        Self {
            root: root.into(),
            channels,
            index,
            labels: (0..classes.len()).collect(),
            classes,
        }
    }

    /// The same images with labels that are indices into `classes`, such as those of a larger set.
    ///
    /// # Errors
    /// [`DataError::UnknownClass`] when a class of this folder is not among them.
    pub fn with_classes(mut self, classes: &[String]) -> Result<Self, DataError> {
        let places = places(&self.classes, classes, &self.root)?;
        self.labels = self.labels.iter().map(|&label| places[label]).collect();
        self.classes = classes.to_vec();
        Ok(self)
    }

    /// The folder it was opened from.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How the images are laid out in it.
    #[must_use]
    pub fn layout(&self) -> FolderLayout {
        self.index.layout()
    }

    /// Names of the classes in order; empty for a folder without class folders. There may be only one.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Never true for a folder that was opened: opening one without images fails.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// File of image `index`.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn path(&self, index: usize) -> PathBuf {
        self.root.join(self.index.path(index))
    }

    /// Class of image `index`, `None` without class folders.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn label(&self, index: usize) -> Option<usize> {
        self.labels.get(self.index.folder(index)).copied()
    }
}

impl ImageSource for ImageFolder {
    fn len(&self) -> usize {
        self.index.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.label(index)
    }

    fn name(&self, index: usize) -> String {
        shown(&self.index.path(index))
    }

    fn stamp(&self, index: usize) -> [u64; 2] {
        file_stamp(&self.path(index))
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        read_image(&self.path(index), self.channels).map(Arc::new)
    }
}

/// A path below a set's folder as shown to the user: `/` between the parts on every system.
pub(crate) fn shown(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}
