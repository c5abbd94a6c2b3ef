//! [`Subset`], selected images of another set in a given order: a held-out part, one per cent of the labels, the good ones.
//!
//! This file must not choose the images.

use std::sync::Arc;

use barlow_augment::{Image8, ImageRegion, WantedBox};

use crate::{DataError, ImageSource};

/// A view of a set through a list of indices. Image numbers, and so random draws, are those of the subset.
#[derive(Clone)]
pub struct Subset {
    source: Arc<dyn ImageSource>,
    indices: Vec<usize>,
}

impl Subset {
    /// The images `indices` of `source`, in this order. The classes are those of the source.
    ///
    /// # Panics
    /// If an index is not in the source.
    #[must_use]
    pub fn new(source: Arc<dyn ImageSource>, indices: Vec<usize>) -> Self {
        let len = source.len();
        if let Some(index) = indices.iter().find(|&&index| index >= len) {
            panic!("index {index} of a subset is outside its set of {len} images");
        }
        Self { source, indices }
    }

    /// The indices in the source.
    #[must_use]
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl ImageSource for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn classes(&self) -> &[String] {
        self.source.classes()
    }

    fn channels(&self) -> usize {
        self.source.channels()
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.source.label(self.indices[index])
    }

    fn labels(&self, index: usize) -> Vec<usize> {
        self.source.labels(self.indices[index])
    }

    fn difficult(&self, index: usize) -> Vec<usize> {
        self.source.difficult(self.indices[index])
    }

    fn group(&self, index: usize) -> Option<u64> {
        self.source.group(self.indices[index])
    }

    fn name(&self, index: usize) -> String {
        self.source.name(self.indices[index])
    }

    fn stamp(&self, index: usize) -> [u64; 2] {
        self.source.stamp(self.indices[index])
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        self.source.image(self.indices[index])
    }

    fn region(&self, index: usize, wanted: WantedBox<'_>) -> Result<ImageRegion, DataError> {
        self.source.region(self.indices[index], wanted)
    }
}
