//! A wrapper of image sources that counts the requested images.

// Each test binary uses only some of these helpers.
#![allow(dead_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use barlow_augment::Image8;
use barlow_data::{DataError, ImageSource};

/// Another source with a count of the requests.
pub struct Counting {
    source: Arc<dyn ImageSource>,
    asked: AtomicUsize,
}

impl Counting {
    pub fn new(source: Arc<dyn ImageSource>) -> Arc<Self> {
        Arc::new(Self {
            source,
            asked: AtomicUsize::new(0),
        })
    }

    /// Images requested since the last call.
    pub fn take(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }

    /// Images requested so far.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl ImageSource for Counting {
    fn len(&self) -> usize {
        self.source.len()
    }
    fn classes(&self) -> &[String] {
        self.source.classes()
    }
    fn channels(&self) -> usize {
        self.source.channels()
    }
    fn label(&self, index: usize) -> Option<usize> {
        self.source.label(index)
    }
    fn name(&self, index: usize) -> String {
        self.source.name(index)
    }
    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.source.image(index)
    }
}
