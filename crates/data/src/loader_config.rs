//! Configuration of the data loader.

use crate::BadImages;

/// How batches are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoaderConfig {
    /// Images in a batch, at least 2 and at most the images of the set.
    pub batch_size: usize,
    /// Threads that make each batch together; with 0 the caller's thread makes a batch when it requests one.
    pub workers: usize,
    /// Maximal number of finished batches in the queue; with 0 a batch is made ahead but handed over directly. See
    /// [`LoaderConfig::batches_in_memory`] for the host memory it costs. Has no effect without workers.
    pub queue: usize,
    /// Seed of the order and the views.
    pub seed: u64,
    /// Drops the last batch of an epoch when it is not full. A last batch of a single image is always dropped: it has no
    /// batch statistics.
    pub drop_last: bool,
    /// What to do about a file that is not a usable image.
    pub bad_images: BadImages,
}

impl Default for LoaderConfig {
    /// 128 images, 2 workers, 4 batches ahead, seed 0, last batch dropped, bad images are errors.
    fn default() -> Self {
        Self {
            batch_size: 128,
            workers: 2,
            queue: 4,
            seed: 0,
            drop_last: true,
            bad_images: BadImages::Error,
        }
    }
}

impl LoaderConfig {
    /// Maximal number of batches in host memory at the same time, if the caller drops each batch before it requests the
    /// next: `queue` + 2 with workers (those in the queue, the one being made, the caller's), 1 without.
    ///
    /// A batch takes `4 * batch_size * channels * (sum of size^2 over its views)` bytes; two views of 224 pixels in RGB
    /// are 1.2 MB per image, so a batch of 2048 takes 2.5 GB, and a queue of 2 takes 9.9 GB in total.
    #[must_use]
    pub fn batches_in_memory(&self) -> usize {
        if self.workers == 0 {
            1
        } else {
            self.queue.saturating_add(2)
        }
    }
}
