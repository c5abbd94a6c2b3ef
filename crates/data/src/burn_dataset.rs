//! Implementations of Burn's `Dataset` for the data sets, for Burn's loaders and transforms.
//!
//! Items are results, because `Dataset::get` has no other way to report a bad image. Why a macro: the language allows
//! no blanket implementation of another crate's trait for every [`ImageSource`]. This file must not know how any set works
//! inside.

use std::sync::Arc;

use burn_dataset::Dataset;

use crate::{CifarSet, ConvertedItem, DataError, DatasetSource, DecodedSet, DiskCache, FileList, IdxSet, ImageFolder};
use crate::{ImageSource, LabelledImage, MemorySet, Subset, VocSet};

type Item = Result<LabelledImage, DataError>;

/// Any set of images as a Burn dataset, for sources that are known as `dyn` only.
#[derive(Clone)]
pub struct SourceDataset(pub Arc<dyn ImageSource>);

/// Item `index` of a set, `None` past its end.
pub(crate) fn item(source: &(impl ImageSource + ?Sized), index: usize) -> Option<Item> {
    (index < source.len()).then(|| {
        let image = source.image(index)?;
        Ok(LabelledImage {
            image: Arc::unwrap_or_clone(image),
            label: source.label(index),
            labels: source.labels(index),
            index,
        })
    })
}

/// Implements Burn's `Dataset` for types that are [`ImageSource`]s.
macro_rules! burn_dataset {
    ($($set:ty),+ $(,)?) => {$(
        impl Dataset<Item> for $set {
            fn get(&self, index: usize) -> Option<Item> {
                item(self, index)
            }

            fn len(&self) -> usize {
                ImageSource::len(self)
            }
        }
    )+};
}

burn_dataset!(
    CifarSet,
    DecodedSet,
    DiskCache,
    FileList,
    IdxSet,
    ImageFolder,
    MemorySet,
    Subset,
    VocSet,
);

/// Adds inherent `len` and `is_empty`, which take precedence over those of the two traits where both are in scope.
macro_rules! own_len {
    ($($set:ty),+ $(,)?) => {$(
        impl $set {
            /// Number of images.
            #[must_use]
            pub fn len(&self) -> usize {
                ImageSource::len(self)
            }

            /// Whether there are no images.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                ImageSource::len(self) == 0
            }
        }
    )+};
}

own_len!(
    CifarSet, DecodedSet, DiskCache, FileList, IdxSet, MemorySet, Subset, VocSet
);

impl Dataset<Item> for SourceDataset {
    fn get(&self, index: usize) -> Option<Item> {
        item(&*self.0, index)
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

impl<D: Dataset<I>, I, F: Fn(I) -> ConvertedItem + Send + Sync> DatasetSource<D, I, F> {
    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        ImageSource::len(self)
    }

    /// Whether there are no images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        ImageSource::len(self) == 0
    }
}

impl<D: Dataset<I>, I, F: Fn(I) -> ConvertedItem + Send + Sync> Dataset<Item> for DatasetSource<D, I, F> {
    fn get(&self, index: usize) -> Option<Item> {
        item(self, index)
    }

    fn len(&self) -> usize {
        ImageSource::len(self)
    }
}
