//! [`ImageSource`], the interface of every set of images: a length, labels, and decoded images on demand.
//!
//! The loader, the evaluation and the statistics depend on this trait alone. This file must not know files.

use std::sync::Arc;

use barlow_augment::{Image8, ImageRegion, WantedBox};
use serde::{Deserialize, Serialize};

use crate::DataError;

/// A set of images with a fixed order.
pub trait ImageSource: Send + Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are no images.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the classes; empty for a set without labels. A label is an index into them.
    fn classes(&self) -> &[String];

    /// Number of channels of every image.
    fn channels(&self) -> usize;

    /// Class of image `index`, `None` in a set without labels and in a set whose images hold several classes.
    ///
    /// # Panics
    /// If `index >= len`.
    fn label(&self, index: usize) -> Option<usize>;

    /// All classes of image `index`, ascending: the single one of [`ImageSource::label`] if there is one.
    ///
    /// # Panics
    /// If `index >= len`.
    fn labels(&self, index: usize) -> Vec<usize> {
        self.label(index).into_iter().collect()
    }

    /// Classes of which image `index` shows objects that are marked as difficult and no others, ascending; they are not among
    /// [`ImageSource::labels`]. None in most sets.
    ///
    /// # Panics
    /// If `index >= len`.
    fn difficult(&self, index: usize) -> Vec<usize> {
        let _ = index;
        Vec::new()
    }

    /// Group of image `index`, such as a patient's: images of one group are held out together. `None` in a set without groups.
    ///
    /// # Panics
    /// If `index >= len`.
    fn group(&self, index: usize) -> Option<u64> {
        let _ = index;
        None
    }

    /// Name of image `index` in messages: its path below the set's folder, with `/` between the parts.
    ///
    /// # Panics
    /// If `index >= len`.
    fn name(&self, index: usize) -> String;

    /// A stamp that changes when the pixels of image `index` change under the same name: its file's size in bytes and
    /// modification time in ns. Zeros where that is unknown; a cache of such pixels must detect stale ones by other means.
    ///
    /// # Panics
    /// If `index >= len`.
    fn stamp(&self, index: usize) -> [u64; 2] {
        let _ = index;
        [0, 0]
    }

    /// Image `index`, decoded.
    ///
    /// # Errors
    /// [`DataError::BadImage`] for a file that is not a usable image.
    ///
    /// # Panics
    /// If `index >= len`.
    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError>;

    /// The pixels of image `index` in a box that is chosen by the image's size, or more of them. A set that decodes files skips
    /// what is outside the box; the default returns the whole image.
    ///
    /// # Errors
    /// As [`ImageSource::image`], whatever the box is.
    ///
    /// # Panics
    /// If `index >= len`, or the box is not inside the image.
    fn region(&self, index: usize, wanted: WantedBox<'_>) -> Result<ImageRegion, DataError> {
        let _ = wanted;
        self.image(index).map(ImageRegion::whole)
    }
}

/// One image with its index in the set: the item of burn-dataset's `Dataset`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledImage {
    /// The decoded pixels.
    pub image: Image8,
    /// Its only class, `None` in a set without labels and in a set whose images hold several classes.
    pub label: Option<usize>,
    /// All its classes, as in [`ImageSource::labels`].
    pub labels: Vec<usize>,
    /// Its index in the set.
    pub index: usize,
}

/// What to do about a file that is not a usable image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BadImages {
    /// Use other images in its place, and report how many were bad.
    Skip,
    /// Stop with an error naming it.
    #[default]
    Error,
}

/// The images that were skipped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Skipped {
    /// How many.
    pub count: usize,
    /// The error of the first one (by its number in the set), which names the file.
    pub first: Option<String>,
}
