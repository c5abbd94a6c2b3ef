//! The prefetching iterator over an epoch: a thread makes the batches in order and passes them through a bounded queue.
//!
//! One batch at a time is made, by all workers together: the first batch is ready soon, no sorting is needed, and
//! memory is bounded by the queue whatever the number of workers ([`crate::LoaderConfig::batches_in_memory`]). Dropping
//! the iterator stops the work within about one image per worker and joins the thread. If a source hangs in the middle
//! of an image (a network disk is gone), the thread is detached, because the caller must not hang with it. This file
//! must not know what a batch holds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::batch_maker::{BatchMaker, Coverage};
use crate::error::panic_message;
use crate::{DataError, HostBatch, shuffled_indices};

type Made = Result<HostBatch, DataError>;

/// How long a dropped epoch waits for images that are being loaded.
const GRACE: Duration = Duration::from_secs(2);

/// The remaining batches of an epoch, in order. After an error there are no more.
pub struct EpochIter {
    work: Work,
    remaining: usize,
}

enum Work {
    /// A thread works ahead.
    Ahead {
        batches: Option<Receiver<Made>>,
        producer: Option<JoinHandle<()>>,
        stop: Arc<AtomicBool>,
    },
    /// The next batch is made when it is requested.
    OnDemand(Producer),
    /// The thread could not be started; the error is still to be returned.
    Failed(Option<DataError>),
}

impl EpochIter {
    pub(crate) fn start(
        maker: &Arc<BatchMaker>,
        pool: Option<&Arc<rayon::ThreadPool>>,
        (coverage, epoch): (Coverage, u64),
        first_step: usize,
    ) -> Self {
        let remaining = maker.steps(coverage).saturating_sub(first_step);
        let producer = Producer {
            maker: Arc::clone(maker),
            pool: pool.cloned(),
            order: shuffled_indices(maker.len(), maker.config.seed, epoch),
            coverage,
            epoch,
            step: first_step,
            stop: Arc::default(),
        };
        if pool.is_none() || remaining == 0 {
            return Self {
                work: Work::OnDemand(producer),
                remaining,
            };
        }
        let (sender, receiver) = crossbeam_channel::bounded(maker.config.queue);
        let stop = Arc::clone(&producer.stop);
        let thread = std::thread::Builder::new().name(format!("data-epoch-{epoch}"));
        let work = match thread.spawn(move || producer.run(remaining, &sender)) {
            Ok(thread) => Work::Ahead {
                batches: Some(receiver),
                producer: Some(thread),
                stop,
            },
            Err(error) => Work::Failed(Some(DataError::Threads {
                workers: 1,
                reason: error.to_string(),
            })),
        };
        Self { work, remaining }
    }
}

impl Iterator for EpochIter {
    type Item = Made;

    fn next(&mut self) -> Option<Made> {
        if self.remaining == 0 {
            return None;
        }
        let made = match &mut self.work {
            Work::OnDemand(producer) => Some(producer.make_next()),
            Work::Ahead { batches, .. } => batches.as_ref().and_then(|batches| batches.recv().ok()),
            Work::Failed(error) => error.take().map(Err),
        };
        self.remaining = if matches!(made, Some(Ok(_))) {
            self.remaining - 1
        } else {
            0
        };
        made
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Fewer if an error comes.
        (0, Some(self.remaining))
    }
}

impl Drop for EpochIter {
    fn drop(&mut self) {
        if let Work::Ahead {
            batches,
            producer,
            stop,
        } = &mut self.work
        {
            stop.store(true, Ordering::Relaxed);
            let (Some(batches), Some(thread)) = (batches.take(), producer.take()) else {
                return;
            };
            // The sender is dropped when the thread ends. Receiving what is made meanwhile lets a blocked `send` return.
            let deadline = Instant::now() + GRACE;
            let ended = loop {
                match batches.recv_deadline(deadline) {
                    Ok(_) => {}
                    Err(RecvTimeoutError::Disconnected) => break true,
                    Err(RecvTimeoutError::Timeout) => break false,
                }
            };
            if ended {
                // The thread catches panics of the work itself; there is nothing left to report.
                let _ = thread.join();
            }
        }
    }
}

/// Makes the batches of one pass one after the other.
struct Producer {
    maker: Arc<BatchMaker>,
    pool: Option<Arc<rayon::ThreadPool>>,
    order: Vec<usize>,
    coverage: Coverage,
    epoch: u64,
    step: usize,
    stop: Arc<AtomicBool>,
}

impl Producer {
    fn run(mut self, steps: usize, sender: &Sender<Made>) {
        for _ in 0..steps {
            let made = self.make_next();
            let failed = made.is_err();
            // A batch made while stopping is unfinished: it must not be sent.
            if self.stop.load(Ordering::Relaxed) || sender.send(made).is_err() || failed {
                return;
            }
        }
    }

    fn make_next(&mut self) -> Made {
        let positions = self.maker.positions(self.coverage, self.step);
        let make = |parallel| {
            self.maker
                .batch(&self.order, self.epoch, positions.clone(), parallel, &self.stop)
        };
        let made = catch_unwind(AssertUnwindSafe(|| match &self.pool {
            Some(pool) => pool.install(|| make(true)),
            None => make(false),
        }));
        self.step += 1;
        made.unwrap_or_else(|payload| {
            Err(DataError::WorkerPanicked {
                message: panic_message(&*payload),
            })
        })
    }
}
