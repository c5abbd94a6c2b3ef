//! [`ImageFolder`], a folder of images: one folder per class, or images alone. Opening lists names and decodes nothing.
//!
//! This file must not know splits or batches, nor how a folder is listed.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barlow_augment::{Image8, ImageRegion, WantedBox};

use crate::classes::places;
use crate::index::{FolderIndex, FolderLayout, FolderReading, IndexCache, IndexNote, scan};
use crate::path_names::shown;
use crate::read::{file_stamp, read_image, read_region};
use crate::{DataError, ImageSource, LeftOut};

/// The images below one folder.
#[derive(Debug, Clone)]
pub struct ImageFolder {
    root: PathBuf,
    channels: usize,
    index: FolderIndex,
    classes: Vec<String>,
    /// Label of the images in each folder; empty without labels.
    labels: Vec<usize>,
    left_out: LeftOut,
}

impl ImageFolder {
    /// Lists the images of `root`: `root/*.jpg` without labels, or `root/CLASS/*.jpg` with the folders directly in `root` as
    /// classes. Images in folders below a class folder belong to the class. If no class folder holds images itself, or in a
    /// folder called `images`, all are taken without labels (`root/2021/05/*.jpg`). A single folder called `images`, next to
    /// none but such as `labels`, stands for `root`. Links to folders are followed directly below `root` only.
    ///
    /// Images are sorted by folder, then by name, each compared by the bytes of its composed form (NFC). Other kinds of files,
    /// hidden ones, what computers leave behind and runs of this program are counted ([`ImageFolder::left_out`]); a file is
    /// recognised by its name here, by its content when it is read. A name that is not Unicode still refers to its file, and is
    /// shown with replacement characters. Images are returned with `channels` channels: 1, 3 or 4
    /// ([`barlow_augment::decode_channels`]).
    ///
    /// # Errors
    /// [`DataError`] when the folder is missing, is not a folder, holds no image, holds images next to folders of images, has
    /// an empty class folder or one with pictures of other formats alone, or holds a data set with splits somewhere below.
    pub fn open(root: impl AsRef<Path>, channels: usize) -> Result<Self, DataError> {
        Ok(Self::open_as(root.as_ref(), FolderReading::Detected, channels, None)?.0)
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
        let (folder, note) = Self::open_as(root.as_ref(), FolderReading::Detected, channels, Some(cache))?;
        Ok((folder, note.unwrap_or(IndexNote::Small)))
    }

    /// Opens a folder whose folders are read in the given way.
    pub(crate) fn open_as(
        root: &Path,
        reading: FolderReading,
        channels: usize,
        cache: Option<&IndexCache>,
    ) -> Result<(Self, Option<IndexNote>), DataError> {
        let (index, left_out, note) = match cache {
            Some(cache) => {
                let (index, left_out, note) = cache.index(root, reading)?;
                (index, left_out, Some(note))
            }
            None => {
                let scan = scan(root, reading)?;
                (scan.index, scan.left_out, None)
            }
        };
        let folder = Self::from_index(root, index, channels);
        Ok((Self { left_out, ..folder }, note))
    }

    /// The images of an index, unchecked. The disk is not accessed until an image is requested.
    #[must_use]
    pub fn from_index(root: impl Into<PathBuf>, index: FolderIndex, channels: usize) -> Self {
        let of_folders: Vec<String> = match index.layout() {
            FolderLayout::Classes => index.class_names().collect(),
            FolderLayout::Flat | FolderLayout::Nested => Vec::new(),
        };
        // Sorted here: two folders may be one class, in either form of its name.
        let classes: BTreeSet<&String> = of_folders.iter().collect();
        let numbers: HashMap<&String, usize> = classes.iter().copied().zip(0..).collect();
        Self {
            root: root.into(),
            channels,
            index,
            labels: of_folders.iter().map(|class| numbers[class]).collect(),
            classes: classes.into_iter().cloned().collect(),
            left_out: LeftOut::default(),
        }
    }

    /// The same images without labels.
    #[must_use]
    pub fn without_labels(self) -> Self {
        Self {
            classes: Vec::new(),
            labels: Vec::new(),
            ..self
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

    /// The files and folders in it that are not among the images; unknown of an index that was not listed here.
    #[must_use]
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
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
        read_image(&self.path(index), self.channels)
    }

    fn region(&self, index: usize, wanted: WantedBox<'_>) -> Result<ImageRegion, DataError> {
        read_region(&self.path(index), self.channels, wanted)
    }
}
