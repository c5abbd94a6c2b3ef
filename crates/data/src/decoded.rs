//! [`DecodedSet`], decoded images in memory, for sets that are small enough: each file is read and decoded once.
//!
//! This file must not know where the images come from, nor choose a limit: the caller passes one.

use std::sync::Arc;

use barlow_augment::Image8;
use rayon::prelude::*;

use crate::{BadImages, DataError, ImageSource, Skipped};

/// Images that are decoded between two checks of the limit.
const CHUNK: usize = 256;

/// Decoded images with their labels and names, in the order of the set they came from.
#[derive(Debug, Clone)]
pub struct DecodedSet {
    classes: Vec<String>,
    channels: usize,
    items: Vec<Item>,
    skipped: Skipped,
}

#[derive(Debug, Clone)]
struct Item {
    image: Arc<Image8>,
    label: Option<usize>,
    labels: Vec<usize>,
    name: String,
}

impl DecodedSet {
    /// Decodes all images on `threads` threads (0 counts as 1). Bad ones are skipped and counted, or are an error.
    ///
    /// # Errors
    /// [`DataError`]: the first bad image (by its number) unless they are skipped, no good image at all, no threads.
    pub fn load(source: &dyn ImageSource, bad_images: BadImages, threads: usize) -> Result<Self, DataError> {
        Ok(Self::load_within(source, bad_images, threads, u64::MAX)?.expect("no set is larger than u64::MAX bytes"))
    }

    /// As [`DecodedSet::load`], but returns `None` as soon as the pixels take more than `max_bytes`.
    ///
    /// # Errors
    /// As [`DecodedSet::load`].
    pub fn load_within(
        source: &dyn ImageSource,
        bad_images: BadImages,
        threads: usize,
        max_bytes: u64,
    ) -> Result<Option<Self>, DataError> {
        let workers = threads.max(1);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(workers).build();
        let pool = pool.map_err(|error| DataError::Threads {
            workers,
            reason: error.to_string(),
        })?;
        let mut set = Self {
            classes: source.classes().to_vec(),
            channels: source.channels(),
            items: Vec::new(),
            skipped: Skipped::default(),
        };
        let mut bytes = 0;
        for start in (0..source.len()).step_by(CHUNK) {
            let chunk = start..(start + CHUNK).min(source.len());
            let images: Vec<_> = pool.install(|| chunk.clone().into_par_iter().map(|i| source.image(i)).collect());
            for (index, image) in chunk.zip(images) {
                match image {
                    Ok(image) => {
                        bytes += image.bytes() as u64;
                        set.items.push(Item {
                            image,
                            label: source.label(index),
                            labels: source.labels(index),
                            name: source.name(index),
                        });
                    }
                    Err(error) if bad_images == BadImages::Skip && error.is_bad_image() => {
                        set.skipped.count += 1;
                        set.skipped.first.get_or_insert_with(|| error.to_string());
                    }
                    Err(error) => return Err(error),
                }
            }
            if bytes > max_bytes {
                return Ok(None);
            }
        }
        if let (true, Some(first)) = (set.items.is_empty(), set.skipped.first.clone()) {
            return Err(DataError::AllBad {
                count: set.skipped.count,
                first,
            });
        }
        Ok(Some(set))
    }

    /// The images that were skipped.
    #[must_use]
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Size of the pixels in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.image.bytes() as u64).sum()
    }
}

impl ImageSource for DecodedSet {
    fn len(&self) -> usize {
        self.items.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.items[index].label
    }

    fn labels(&self, index: usize) -> Vec<usize> {
        self.items[index].labels.clone()
    }

    fn name(&self, index: usize) -> String {
        self.items[index].name.clone()
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        Ok(Arc::clone(&self.items[index].image))
    }
}
