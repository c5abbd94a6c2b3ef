//! The maker of single batches: which images a batch holds, what replaces the bad ones, and their views.
//!
//! This file must not know tensors, nor what runs ahead of the caller.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use barlow_augment::{ImageRegion, Views};
use rayon::prelude::*;

use crate::{BadImages, DataError, HostBatch, HostView, ImageSource, LoaderConfig, Skipped};

/// Which images the batches of a pass over the set hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// Those of an epoch: whole batches, and the last, smaller one if the config says so.
    Epoch,
    /// Every image once. A single image that would be left over is in the last batch, too: it has no batch statistics alone.
    Whole,
}

/// Makes any batch of any epoch. Shared by all workers; the only mutable state is the list of bad images.
pub(crate) struct BatchMaker {
    pub(crate) source: Arc<dyn ImageSource>,
    pub(crate) config: LoaderConfig,
    views: Views,
    /// Which part of every batch is made, of how many.
    share: (usize, usize),
    /// The error of each bad image found so far, by its number.
    bad: Mutex<BTreeMap<usize, String>>,
}

impl BatchMaker {
    pub(crate) fn new(source: Arc<dyn ImageSource>, views: Views, config: LoaderConfig) -> Self {
        Self {
            source,
            config,
            views,
            share: (0, 1),
            bad: Mutex::default(),
        }
    }

    /// Makes only part `index` of `count` of every batch.
    pub(crate) fn set_share(&mut self, index: usize, count: usize) {
        assert!(index < count, "part {index} of {count} of a batch");
        self.share = (index, count);
    }

    /// Number of images in the set.
    pub(crate) fn len(&self) -> usize {
        self.source.len()
    }

    /// Number of batches in a pass.
    pub(crate) fn steps(&self, coverage: Coverage) -> usize {
        let (len, batch) = (self.source.len(), self.config.batch_size);
        let keeps_last = coverage == Coverage::Whole || !self.config.drop_last;
        len / batch + usize::from(keeps_last && len % batch >= 2)
    }

    /// The positions in the order of the images of batch `step` of a pass that are made here.
    pub(crate) fn positions(&self, coverage: Coverage, step: usize) -> Range<usize> {
        let all = self.positions_of_all(coverage, step);
        let (index, count) = self.share;
        let start = |index: usize| all.start + index * all.len() / count;
        start(index)..start(index + 1)
    }

    /// The positions of the images of the whole batch.
    fn positions_of_all(&self, coverage: Coverage, step: usize) -> Range<usize> {
        let (len, batch) = (self.source.len(), self.config.batch_size);
        let first = step * batch;
        let is_last = step + 1 == self.steps(coverage);
        match coverage {
            Coverage::Whole if is_last => first..len,
            Coverage::Whole | Coverage::Epoch => first..len.min(first + batch),
        }
    }

    /// Makes a batch of the images at some positions of the permutation `order` of an epoch: on the thread pool that this is called
    /// in, or on the caller's thread where `parallel` is false. Returns early, with an unfinished batch, once `stop` is set.
    pub(crate) fn batch(
        &self,
        order: &[usize],
        epoch: u64,
        positions: Range<usize>,
        parallel: bool,
        stop: &AtomicBool,
    ) -> Result<HostBatch, DataError> {
        let (first, n) = (positions.start, positions.len());
        let mut views: Vec<HostView> = (0..self.views.len())
            .map(|view| HostView {
                pixels: vec![0.0; n * self.views.values(view)],
                size: self.views.size(view),
                group: self.views.group_of(view),
            })
            .collect();
        let fill = |(row, outputs): (usize, &mut [&mut [f32]])| -> Result<usize, DataError> {
            if stop.load(Ordering::Relaxed) {
                return Ok(0);
            }
            let (index, region) = self.good_region(order, first + row, epoch)?;
            let seed = self.config.seed;
            self.views.apply_region(&region, seed, epoch, index as u64, outputs);
            Ok(index)
        };
        let mut outputs = by_image(&mut views, n);
        // All results are collected before the first error is returned, so that it is always the same one.
        let indices: Vec<Result<usize, DataError>> = if parallel {
            let rows = outputs.par_chunks_mut(self.views.len());
            rows.enumerate().map(fill).collect()
        } else {
            let rows = outputs.chunks_mut(self.views.len());
            rows.enumerate().map(fill).collect()
        };
        let indices = indices.into_iter().collect::<Result<Vec<usize>, DataError>>()?;
        let labels = indices.iter().map(|&index| self.source.label(index)).collect();
        Ok(HostBatch {
            views,
            n,
            channels: self.views.channels(),
            labels,
            indices,
        })
    }

    /// The bad images found so far.
    pub(crate) fn skipped(&self) -> Skipped {
        let bad = self.bad.lock().unwrap_or_else(PoisonError::into_inner);
        Skipped {
            count: bad.len(),
            first: bad.first_key_value().map(|(_, error)| error.clone()),
        }
    }

    /// What the views read of the image at `position` of the order. A bad one is replaced by the next good one of the order, wrapping around at
    /// its end. The replacement depends neither on the thread nor on which bad images are already known.
    fn good_region(&self, order: &[usize], position: usize, epoch: u64) -> Result<(usize, ImageRegion), DataError> {
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
            let wanted = |width, height| self.views.region(width, height, self.config.seed, epoch, index as u64);
            match self.source.region(index, &wanted) {
                Ok(region) => return Ok((index, region)),
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

/// The pixels of each image of each view, sorted by image and then by view, so that the views of an image are adjacent.
fn by_image(views: &mut [HostView], n: usize) -> Vec<&mut [f32]> {
    let mut sorted = Vec::with_capacity(n * views.len());
    let mut images: Vec<_> = views
        .iter_mut()
        .map(|view| {
            let values = (view.pixels.len() / n.max(1)).max(1);
            view.pixels.chunks_exact_mut(values)
        })
        .collect();
    for _ in 0..n {
        sorted.extend(images.iter_mut().filter_map(Iterator::next));
    }
    sorted
}
