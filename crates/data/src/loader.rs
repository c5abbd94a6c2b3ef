//! The data loader: a set of images to the batches of an epoch. Which images a batch holds, and their pixels, depend on
//! `(seed, epoch, step)` and the set alone; the number of workers only affects the speed.
//!
//! Why not Burn's loader: with several workers it does not preserve the order, and it does not drop the last batch.
//! `batch_maker` makes a batch; `epoch` runs ahead of the caller. This file must not know tensors.

use std::sync::Arc;

use barlow_augment::Views;

use crate::batch_maker::{BatchMaker, Coverage};
use crate::{DataError, EpochIter, ImageSource, LoaderConfig, Skipped};

/// Makes the batches of views of a set, epoch by epoch.
pub struct ViewLoader {
    maker: Arc<BatchMaker>,
    pool: Option<Arc<rayon::ThreadPool>>,
}

impl ViewLoader {
    /// Creates a loader over `source` and starts its workers, which sleep until an epoch begins.
    ///
    /// # Errors
    /// [`DataError`] for a batch size below 2 or above the number of images, for views of another number of channels than
    /// the images have, and when the threads cannot be started.
    pub fn new(source: Arc<dyn ImageSource>, views: Views, config: LoaderConfig) -> Result<Self, DataError> {
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
            maker: Arc::new(BatchMaker::new(source, views, config)),
            pool,
        })
    }

    /// Makes only part `index` of `count` of every batch, rows `[index · n / count, (index + 1) · n / count)`: the share of one of several
    /// processes. Images, views and order are those of the whole batch. A part may be empty if a batch has fewer images than parts.
    ///
    /// # Panics
    /// If there is no such part, or an epoch has begun.
    #[must_use]
    pub fn with_share(mut self, index: usize, count: usize) -> Self {
        let maker = Arc::get_mut(&mut self.maker).expect("set before an epoch begins");
        maker.set_share(index, count);
        self
    }

    /// Number of batches in an epoch.
    #[must_use]
    pub fn steps_per_epoch(&self) -> usize {
        self.maker.steps(Coverage::Epoch)
    }

    /// The batches of `epoch` from step `first_step` on (0 for all); none when `first_step` is past the last.
    /// Workers begin immediately and run at most the queue's length ahead.
    #[must_use]
    pub fn epoch(&self, epoch: u64, first_step: usize) -> EpochIter {
        EpochIter::start(&self.maker, self.pool.as_ref(), (Coverage::Epoch, epoch), first_step)
    }

    /// Batches of every image of the set once, whatever [`LoaderConfig::drop_last`] says; a single image that would be left over is in
    /// the last batch, too. `key` takes the place of an epoch's number: it decides order and views, and an epoch of the same number has
    /// the same ones.
    #[must_use]
    pub fn whole_set(&self, key: u64) -> EpochIter {
        EpochIter::start(&self.maker, self.pool.as_ref(), (Coverage::Whole, key), 0)
    }

    /// The bad images that were found and replaced so far.
    #[must_use]
    pub fn skipped(&self) -> Skipped {
        self.maker.skipped()
    }

    /// The images it loads.
    #[must_use]
    pub fn source(&self) -> &Arc<dyn ImageSource> {
        &self.maker.source
    }
}
