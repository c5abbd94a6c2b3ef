//! [`VocSet`], one split of a Pascal VOC set.
//!
//! A split lists image names; each has an XML file of its objects. All annotations of a split are read when it is
//! opened, so that a bad one is reported before training begins. This file must not choose what is held out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barlow_augment::{Image8, ImageRegion, WantedBox};
use rayon::prelude::*;

use super::boxes::boxed;
use super::layout::{find_voc, image_files, list_file, read_ids};
use super::{Annotation, BoundingBox, VocError, parse_annotation};
use crate::read::{file_stamp, read_image, read_region};
use crate::{DataError, ImageSource};

/// Largest annotation that is read, in bytes.
const MAX_XML_BYTES: u64 = 16 << 20;

/// One split of a VOC set.
#[derive(Debug, Clone)]
pub struct VocSet {
    root: PathBuf,
    channels: usize,
    classes: Vec<String>,
    items: Vec<Item>,
}

#[derive(Debug, Clone)]
struct Item {
    /// Name of the file in `JPEGImages`.
    file: PathBuf,
    boxes: Vec<BoundingBox>,
}

impl VocSet {
    /// Opens the images that `ImageSets/Main/SPLIT.txt` lists, in the list's order, each with `channels` channels (1, 3
    /// or 4). `root` is the folder of `JPEGImages` and `Annotations`, or holds exactly one such folder (`BCCD`,
    /// `VOCdevkit/VOC2007`). The classes are all those in the split's annotations, sorted: with all 20 of VOC that is
    /// VOC's own order.
    ///
    /// # Errors
    /// [`VocError`] in a [`DataError`]: no VOC set or several below `root`; a list, an image or an annotation that is
    /// missing or wrong. The first in the list's order.
    pub fn open(root: impl AsRef<Path>, split: &str, channels: usize) -> Result<Self, DataError> {
        let root = find_voc(root.as_ref())?;
        let file = list_file(&root, split);
        let ids = read_ids(&file)?;
        Self::read(root, &file, ids, channels)
    }

    /// All images of `JPEGImages`, sorted by name, for a set without lists.
    ///
    /// # Errors
    /// As [`VocSet::open`].
    pub fn open_all(root: impl AsRef<Path>, channels: usize) -> Result<Self, DataError> {
        let root = find_voc(root.as_ref())?;
        let images = root.join("JPEGImages");
        let mut ids: Vec<String> = image_files(&root)?
            .into_keys()
            .map(|id| id.to_string_lossy().into())
            .collect();
        if ids.is_empty() {
            return Err(DataError::NoImages {
                path: images,
                found: String::new(),
            });
        }
        ids.sort();
        Self::read(root, &images, (1..).zip(ids).collect(), channels)
    }

    /// Whether the set lists a split.
    pub(crate) fn has_split(root: &Path, split: &str) -> bool {
        list_file(root, split).is_file()
    }

    fn read(root: PathBuf, list: &Path, ids: Vec<(usize, String)>, channels: usize) -> Result<Self, DataError> {
        let images = image_files(&root)?;
        let read_one = |(line, id): &(usize, String)| -> Result<(PathBuf, Annotation), DataError> {
            let file = images
                .get(std::ffi::OsStr::new(id))
                .ok_or_else(|| VocError::MissingImage {
                    list: list.into(),
                    line: *line,
                    id: id.clone(),
                    images: root.join("JPEGImages"),
                })?;
            let annotation = read_annotation(&root.join("Annotations").join(format!("{id}.xml")))?;
            Ok((file.into(), annotation))
        };
        // All are read before the first error is returned, so that it is always the same one.
        let read: Vec<_> = ids.par_iter().map(read_one).collect();
        let read = read.into_iter().collect::<Result<Vec<_>, DataError>>()?;
        let objects = read.iter().flat_map(|(_, annotation)| &annotation.objects);
        let names: BTreeSet<&str> = objects.map(|object| object.name.as_str()).collect();
        let classes: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let class = |name: &String| classes.binary_search(name).expect("every name is among the classes");
        let items = read.iter().map(|(file, annotation)| Item {
            file: file.clone(),
            boxes: annotation
                .objects
                .iter()
                .map(|object| boxed(object, class(&object.name)))
                .collect(),
        });
        Ok(Self {
            items: items.collect(),
            root,
            channels,
            classes,
        })
    }

    /// The same images with classes that are indices into `classes`, such as those of the training split.
    ///
    /// # Errors
    /// [`DataError::UnknownClass`] when a class of this split is not among them.
    pub fn with_classes(mut self, classes: &[String]) -> Result<Self, DataError> {
        let places = crate::classes::places(&self.classes, classes, &self.root)?;
        for item in &mut self.items {
            for object in &mut item.boxes {
                object.class = places[object.class];
            }
        }
        self.classes = classes.to_vec();
        Ok(self)
    }

    /// The folder of `JPEGImages` and `Annotations`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every object of image `index`, including difficult and degenerate ones, in the annotation's order.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn boxes(&self, index: usize) -> &[BoundingBox] {
        &self.items[index].boxes
    }

    /// Classes of which image `index` contains difficult objects only, ascending. They are not among
    /// [`ImageSource::labels`], and VOC's classification score ignores the image for them: neither correct nor wrong.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn difficult_only(&self, index: usize) -> Vec<usize> {
        let labels = self.labels(index);
        let all: BTreeSet<usize> = self.boxes(index).iter().map(|object| object.class).collect();
        all.into_iter().filter(|class| !labels.contains(class)).collect()
    }

    /// File of image `index`.
    ///
    /// # Panics
    /// If `index >= len`.
    #[must_use]
    pub fn path(&self, index: usize) -> PathBuf {
        self.root.join("JPEGImages").join(&self.items[index].file)
    }
}

impl ImageSource for VocSet {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        self.channels
    }

    /// Always `None`: an image may contain several classes.
    fn label(&self, index: usize) -> Option<usize> {
        assert!(
            index < self.items.len(),
            "image {index} of a set of {}",
            self.items.len()
        );
        None
    }

    /// Classes with an object that is not difficult.
    fn labels(&self, index: usize) -> Vec<usize> {
        let clear = self.boxes(index).iter().filter(|object| !object.difficult);
        let classes: BTreeSet<usize> = clear.map(|object| object.class).collect();
        classes.into_iter().collect()
    }

    fn difficult(&self, index: usize) -> Vec<usize> {
        self.difficult_only(index)
    }

    fn name(&self, index: usize) -> String {
        format!("JPEGImages/{}", self.items[index].file.to_string_lossy())
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

/// Reads an annotation file.
pub(crate) fn read_annotation(path: &Path) -> Result<Annotation, DataError> {
    let bad = |reason| VocError::BadAnnotation {
        path: path.into(),
        reason,
    };
    let read_error = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => VocError::MissingAnnotation { path: path.into() }.into(),
        _ => DataError::Read {
            path: path.into(),
            source: error,
        },
    };
    let size = fs::metadata(path).map_err(read_error)?.len();
    if size > MAX_XML_BYTES {
        return Err(bad(format!("{size} bytes are over the limit of {MAX_XML_BYTES}")).into());
    }
    let bytes = fs::read(path).map_err(read_error)?;
    Ok(parse_annotation(&bytes).map_err(bad)?)
}
