//! [`WebDataset`], the images of several tars with one numbering of the classes.
//!
//! This file must not choose what is held out.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barlow_augment::{CropBox, Image8, ImageRegion, WantedBox};

use super::indexing::{Indexed, indexed};
use super::numbering::{check_folders, drop_unlabelled, note_folders, number, report};
use super::{TarIndex, TarStamp};
use crate::read::{decode_bytes, read_at};
use crate::shards::{LeftOutOfShards, LeftOuts, NO_LABEL, Opened, ShardedSet, class_names_beside};
use crate::{BadImages, DataError, ImageSource, IndexCache, IndexNote, ShardError};

/// The images of some tars, in the order of the tars and of each tar.
#[derive(Debug, Clone)]
pub struct WebDataset {
    channels: usize,
    shards: Vec<Shard>,
    /// Index of the first image of each shard, and the number of all images.
    starts: Vec<usize>,
    /// Where the set is, for messages.
    place: PathBuf,
    classes: Vec<String>,
}

#[derive(Debug, Clone)]
struct Shard {
    path: PathBuf,
    /// The part of the path that names its images.
    name: String,
    stamp: [u64; 2],
    /// Its labels are classes once the set is opened.
    index: Arc<TarIndex>,
}

impl WebDataset {
    /// Opens some tars as one set, each image with `channels` channels (1, 3 or 4).
    ///
    /// A sample is the members whose paths are equal up to the first dot of the file's name. Its image is the member with
    /// an image's extension (`KEY.jpg`; without one, each `KEY.x.jpg` is an image). Its label is the text of `KEY.cls`, or
    /// `label`, `cls`, `class` or `class_name` of `KEY.json`, or the text of `KEY.txt` if no tar has one of the former and
    /// all texts look like classes: numbers, or names of at most four words that repeat. Labels are numbers, which
    /// `classnames.txt` or `classes.txt` next to the shards may name, one a line; or names.
    ///
    /// What cannot be used (a cut or damaged tar, repeated names, a label without an image, an image without a label among
    /// others that have one) is an error or, with [`BadImages::Skip`], returned as [`LeftOutOfShards`].
    ///
    /// # Errors
    /// [`ShardError`] in a [`DataError`], the first in the order of the shards; [`DataError::Read`].
    pub fn open(
        shards: &[PathBuf],
        channels: usize,
        bad_images: BadImages,
        cache: Option<&IndexCache>,
    ) -> Result<(Self, Vec<LeftOutOfShards>, Option<IndexNote>), DataError> {
        let beside = shards.first().and_then(|first| first.parent()).unwrap_or(Path::new(""));
        let opened = Self::opened(shards.to_vec(), beside, channels, bad_images, cache)?;
        Ok((opened.set, opened.left_out.into_vec(), opened.note))
    }

    pub(crate) fn opened(
        paths: Vec<PathBuf>,
        root: &Path,
        channels: usize,
        bad_images: BadImages,
        cache: Option<&IndexCache>,
    ) -> Result<Opened<Self>, DataError> {
        let place = match &paths[..] {
            [only] => only.clone(),
            [first, ..] => first.parent().unwrap_or(first).to_owned(),
            [] => PathBuf::new(),
        };
        let (mut indexes, note) = indexed(&paths, cache)?;
        let mut left_out = LeftOuts::default();
        for (path, (_, index)) in paths.iter().zip(&indexes) {
            report(path, index, bad_images, &mut left_out)?;
        }
        for (path, (_, index)) in paths.iter().zip(&indexes) {
            check_folders(path, index)?;
        }
        let beside = paths.first().and_then(|first| first.parent()).unwrap_or(root);
        let names = class_names_beside(&[beside, root])?;
        let classes = number(&mut indexes, names.as_ref(), &mut left_out)?;
        if classes.is_empty() {
            note_folders(&paths, &indexes, &mut left_out);
        } else {
            for (path, (_, index)) in paths.iter().zip(&mut indexes) {
                drop_unlabelled(path, index, bad_images, &mut left_out)?;
            }
        }
        let set = Self::of(paths, indexes, classes, channels, place);
        if set.is_empty() {
            let found = left_out.first_in_brackets();
            return Err(ShardError::NoImages { path: set.place, found }.into());
        }
        Ok(Opened { set, left_out, note })
    }

    fn of(paths: Vec<PathBuf>, indexes: Vec<Indexed>, classes: Vec<String>, channels: usize, place: PathBuf) -> Self {
        let mut starts = vec![0];
        starts.extend(indexes.iter().scan(0, |total, (_, index)| {
            *total += index.len();
            Some(*total)
        }));
        let shards = paths.into_iter().zip(indexes).map(|(path, (stamp, index))| Shard {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            path,
            stamp,
            index: Arc::new(index),
        });
        Self {
            channels,
            shards: shards.collect(),
            starts,
            place,
            classes,
        }
    }

    /// The set of tars that are indexed already: each with its path, size and time ([`ImageSource::stamp`]). Labels are
    /// classes as they occur. The disk is not accessed until an image is requested.
    ///
    /// # Errors
    /// None at present.
    pub fn from_indexes(tars: Vec<(TarStamp, TarIndex)>, channels: usize) -> Result<Self, DataError> {
        let (stamps, mut indexes): (Vec<_>, Vec<_>) = tars
            .into_iter()
            .map(|(stamp, index)| (stamp.path, (stamp.stamp, index)))
            .unzip();
        let classes = number(&mut indexes, None, &mut LeftOuts::default())?;
        let paths: Vec<PathBuf> = stamps.into_iter().map(PathBuf::from).collect();
        let place = paths.first().cloned().unwrap_or_default();
        Ok(Self::of(paths, indexes, classes, channels, place))
    }

    /// The same images with labels that are indices into `classes`, such as those of the training split.
    ///
    /// # Errors
    /// [`DataError::UnknownClass`] when a class of this split is not among them.
    pub fn with_classes(mut self, classes: &[String]) -> Result<Self, DataError> {
        let places = crate::classes::places(&self.classes, classes, &self.place)?;
        for shard in &mut self.shards {
            for label in &mut Arc::make_mut(&mut shard.index).labels {
                if *label != NO_LABEL {
                    *label = places[*label as usize] as u32;
                }
            }
        }
        self.classes = classes.to_vec();
        Ok(self)
    }

    fn find(&self, index: usize) -> (&Shard, usize) {
        let len = self.starts[self.shards.len()];
        assert!(index < len, "image {index} of a set of {len}");
        // The last shard that starts at or before it: empty shards start where the next one does.
        let shard = self.starts.partition_point(|&start| start <= index) - 1;
        (&self.shards[shard], index - self.starts[shard])
    }
}

impl ImageSource for WebDataset {
    fn len(&self) -> usize {
        self.starts[self.shards.len()]
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn label(&self, index: usize) -> Option<usize> {
        let (shard, place) = self.find(index);
        let label = shard.index.labels[place];
        (label != NO_LABEL).then_some(label as usize)
    }

    /// The shard and the member, such as `train-000000.tar/n01440764_10026.jpg`.
    fn name(&self, index: usize) -> String {
        let (shard, place) = self.find(index);
        format!("{}/{}", shard.name, shard.index.name(place))
    }

    /// The size of the image and the time of its shard.
    fn stamp(&self, index: usize) -> [u64; 2] {
        let (shard, place) = self.find(index);
        [shard.index.range(place).1 as u64, shard.stamp[1]]
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        self.region(index, &CropBox::whole).map(ImageRegion::into_pixels)
    }

    fn region(&self, index: usize, wanted: WantedBox<'_>) -> Result<ImageRegion, DataError> {
        let (shard, place) = self.find(index);
        let read_error = |source| DataError::Read {
            path: shard.path.clone(),
            source,
        };
        // Opened for each image: sets have more shards than a process may hold open.
        let file = File::open(&shard.path).map_err(read_error)?;
        let (offset, size) = shard.index.range(place);
        if file.metadata().map_err(read_error)?.len() != shard.stamp[0] {
            let path = shard.path.clone();
            return Err(ShardError::Changed { path }.into());
        }
        let mut bytes = vec![0; size];
        read_at(&file, &mut bytes, offset).map_err(read_error)?;
        let name = shard.path.join(shard.index.name(place));
        decode_bytes(&name, &bytes, self.channels, wanted)
    }
}

impl ShardedSet for WebDataset {
    fn numbered_as(self, classes: &[String]) -> Result<Self, DataError> {
        self.with_classes(classes)
    }
}
