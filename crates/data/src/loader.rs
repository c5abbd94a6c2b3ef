//! A set of images -> the batches of an epoch. Which images a batch holds, and their pixels, depend on `(seed, epoch,
//! step)` and the set alone; workers only decide how fast.
//!
//! Burn's own loader keeps no order with several workers and does not drop the last batch, hence this one. This file
//! makes one batch; `epoch` runs ahead of the caller. It must not know tensors.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use barlow_augment::{Image8, TwinViews};
use rayon::prelude::*;

use crate::{BadImages, DataError, EpochIter, HostBatch, ImageSource, Skipped};

/// How batches are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TwinLoaderConfig {
    /// Images in a batch, at least 2 and at most the images of the set.
    pub batch_size: usize,
    /// Threads that make each batch together; 0 works on the caller's thread, when asked for a batch.
    pub workers: usize,
    /// Finished batches waiting for the caller. Up to `queue` + 1 batches are in memory besides the caller's.
    pub queue: usize,
    /// Keys the order and the views.
    pub seed: u64,
    /// Leaves out the last batch of an epoch when it is not full. Without it, a last batch of a single image is still
    /// left out: it has no batch statistics.
    pub drop_last: bool,
    /// What to do about a file that is not a usable image.
    pub bad_images: BadImages,
}

impl Default for TwinLoaderConfig {
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

/// Makes the batches of view pairs of a set, epoch by epoch.
pub struct TwinLoader {
    shared: Arc<Shared>,
    pool: Option<Arc<rayon::ThreadPool>>,
}

impl TwinLoader {
    /// A loader over `source`; starts its workers, which sleep until an epoch begins.
    ///
    /// # Errors
    /// [`DataError`] for a batch size below 2 or above the number of images, for views of another number of channels than
    /// the images have, and when no threads can be had.
    pub fn new(source: Arc<dyn ImageSource>, views: TwinViews, config: TwinLoaderConfig) -> Result<Self, DataError> {
        let (batch_size, len, workers) = (config.batch_size, source.len(), config.workers);
        if batch_size < 2 {
            return Err(DataError::BatchTooSmall { batch_size });
        }
        let (images, normalised) = (source.channels(), views.channels());
        if images != normalised {
            return Err(DataError::ChannelsDiffer { images, normalised });
        }
        if batch_size > len {
            return Err(DataError::BatchTooLarge { batch_size, len });
        }
        let pool = (workers > 0).then(|| {
            let named = rayon::ThreadPoolBuilder::new().thread_name(|index| format!("data-{index}"));
            named.num_threads(workers).build().map(Arc::new)
        });
        let pool = pool.transpose().map_err(|error| DataError::Threads {
            workers,
            reason: error.to_string(),
        })?;
        Ok(Self {
            shared: Arc::new(Shared {
                source,
                views,
                config,
                bad: Mutex::default(),
            }),
            pool,
        })
    }

    /// Batches in an epoch.
    #[must_use]
    pub fn steps_per_epoch(&self) -> usize {
        self.shared.steps()
    }

    /// The batches of `epoch` from step `first_step` on (0 for all); none when `first_step` is past the last.
    /// Workers begin at once and stay at most the queue's length ahead.
    #[must_use]
    pub fn epoch(&self, epoch: u64, first_step: usize) -> EpochIter {
        EpochIter::start(&self.shared, self.pool.as_ref(), epoch, first_step)
    }

    /// Which images turned out bad so far and were replaced.
    #[must_use]
    pub fn skipped(&self) -> Skipped {
        let bad = self.shared.bad.lock().unwrap_or_else(PoisonError::into_inner);
        Skipped {
            count: bad.len(),
            first: bad.first_key_value().map(|(_, error)| error.clone()),
        }
    }

    /// The images it loads.
    #[must_use]
    pub fn source(&self) -> &Arc<dyn ImageSource> {
        &self.shared.source
    }
}

/// What all workers read, and the list of bad images they write.
pub(crate) struct Shared {
    source: Arc<dyn ImageSource>,
    views: TwinViews,
    pub(crate) config: TwinLoaderConfig,
    /// The error of each bad image met, by its number.
    bad: Mutex<BTreeMap<usize, String>>,
}

impl Shared {
    pub(crate) fn len(&self) -> usize {
        self.source.len()
    }

    pub(crate) fn steps(&self) -> usize {
        let (len, batch) = (self.source.len(), self.config.batch_size);
        len / batch + usize::from(!self.config.drop_last && len % batch >= 2)
    }

    /// Makes batch `step` of the epoch whose permutation is `order`: on the threads of the pool that this is called in,
    /// or on the caller's where `parallel` is false. Gives up early, with an unfinished batch, once `stop` is set.
    pub(crate) fn batch(
        &self,
        order: &[usize],
        epoch: u64,
        step: usize,
        parallel: bool,
        stop: &AtomicBool,
    ) -> Result<HostBatch, DataError> {
        let first = step * self.config.batch_size;
        let n = self.config.batch_size.min(order.len() - first);
        let values = self.views.values();
        let (mut view_a, mut view_b) = (vec![0.0; n * values], vec![0.0; n * values]);
        let fill = |(row, (view_a, view_b)): (usize, (&mut [f32], &mut [f32]))| -> Result<usize, DataError> {
            if stop.load(Ordering::Relaxed) {
                return Ok(0);
            }
            let (index, image) = self.good_image(order, first + row)?;
            self.views
                .apply(&image, self.config.seed, epoch, index as u64, view_a, view_b);
            Ok(index)
        };
        // All results are collected before the first error is taken, so that it is always the same one.
        let indices: Vec<Result<usize, DataError>> = if parallel {
            let rows = view_a.par_chunks_mut(values).zip(view_b.par_chunks_mut(values));
            rows.enumerate().map(fill).collect()
        } else {
            view_a
                .chunks_mut(values)
                .zip(view_b.chunks_mut(values))
                .enumerate()
                .map(fill)
                .collect()
        };
        let indices = indices.into_iter().collect::<Result<Vec<usize>, DataError>>()?;
        let labels = indices.iter().map(|&index| self.source.label(index)).collect();
        Ok(HostBatch {
            view_a,
            view_b,
            n,
            channels: self.views.channels(),
            size: self.views.size(),
            labels,
            indices,
        })
    }

    /// The image at `position` of the order. A bad one is replaced by the next good one of the order, going round at
    /// its end: the same one whoever looks and whatever is known already.
    fn good_image(&self, order: &[usize], position: usize) -> Result<(usize, Arc<Image8>), DataError> {
        let skips = self.config.bad_images == BadImages::Skip;
        for &index in order[position..].iter().chain(&order[..position]) {
            if skips
                && self
                    .bad
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .contains_key(&index)
            {
                continue;
            }
            match self.source.image(index) {
                Ok(image) => return Ok((index, image)),
                Err(error) if skips && error.is_bad_image() => {
                    let mut bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner);
                    bad.insert(index, error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        let bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner);
        let first = bad
            .first_key_value()
            .map(|(_, error)| error.clone())
            .unwrap_or_default();
        Err(DataError::AllBad {
            count: order.len(),
            first,
        })
    }
}
