//! A rank of a run that is trained by several processes or threads.
//!
//! A call that fails ends the run: there is no way on without the others, and none to return an error from the middle of a backward
//! pass. So it unwinds with its [`GroupError`], which [`Ranks::caught`] turns into an error of the run.

use crate::config::SyncNorm;
use crate::error::RunError;
use barlow_group::{Alone, Group, GroupError, counts_of, share_of};
use barlow_loss::Peers;
use barlow_model::NormMode;
use barlow_ops::NormPeers;
use burn::tensor::backend::Backend;
use burn::tensor::{DType, FloatDType, Tensor, TensorData};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// One of the ranks that train a run together. Every rank makes the same calls in the same order.
#[derive(Clone, Debug)]
pub struct Ranks {
    group: Arc<dyn Group>,
    /// The ranks whose batch norms are synchronised; `None` for statistics of this rank's images alone.
    norm: Option<Arc<dyn NormPeers>>,
    batch_size: usize,
}

/// Sums of batch norms.
#[derive(Debug)]
struct GroupNorm(Arc<dyn Group>);

impl NormPeers for GroupNorm {
    fn sum(&self, values: &mut [f64]) {
        expected(self.0.sum(values.into()));
    }
}

/// The result of a call, or the end of the run. Without the panic hook, which would print it.
fn expected<T>(result: Result<T, GroupError>) -> T {
    result.unwrap_or_else(|error| resume_unwind(Box::new(error)))
}

impl Ranks {
    /// A rank of `group`, with batches of `batch_size` images on all ranks together.
    pub fn new(group: Arc<dyn Group>, sync: SyncNorm, batch_size: usize) -> Self {
        let norm = match sync {
            SyncNorm::All => Some(Arc::clone(&group)),
            SyncNorm::Node => Some(group.node()),
            SyncNorm::None => None,
        };
        let norm = norm.filter(|group| !group.is_alone());
        Self {
            norm: norm.map(|group| Arc::new(GroupNorm(group)) as Arc<dyn NormPeers>),
            group,
            batch_size,
        }
    }

    /// A run of one rank.
    pub fn alone() -> Self {
        Self {
            group: Arc::new(Alone::default()),
            norm: None,
            batch_size: 0,
        }
    }

    /// The group.
    pub fn group(&self) -> &Arc<dyn Group> {
        &self.group
    }

    /// Whether this is the only rank.
    pub fn is_alone(&self) -> bool {
        self.group.is_alone()
    }

    /// Whether this is the rank that writes, prints and evaluates.
    pub fn is_first(&self) -> bool {
        self.group.is_first()
    }

    /// `mode` with the ranks whose batch norms are synchronised.
    pub fn norm_mode<'a>(&'a self, mode: NormMode<'a>) -> NormMode<'a> {
        mode.with_peers(self.norm.as_ref())
    }

    /// The first row of a batch that is this rank's.
    pub fn first_row(&self) -> usize {
        self.share().start
    }

    /// The rows of a batch that are this rank's; none alone, where it is not asked.
    pub fn share(&self) -> Range<usize> {
        let place = self.group.place();
        share_of(self.batch_size, place.rank, place.size)
    }

    /// The ranges of this rank's `rows` rows that are computed one after the other, at most `most` at a time where possible. All
    /// ranks have as many.
    ///
    /// # Panics
    /// If `most` is 0.
    pub fn micro_batches(&self, rows: usize, most: usize) -> Vec<Range<usize>> {
        if self.is_alone() {
            return (0..rows)
                .step_by(most)
                .map(|start| start..rows.min(start + most))
                .collect();
        }
        let size = self.group.place().size;
        let (largest, smallest) = (self.batch_size.div_ceil(size), self.batch_size / size);
        let count = largest.div_ceil(most).clamp(1, smallest.max(1));
        (0..count).map(|part| share_of(rows, part, count)).collect()
    }

    /// The rows of all ranks, in f32.
    ///
    /// # Panics
    /// If `own` does not have this rank's share of rows.
    pub fn gather_rows<B: Backend>(&self, own: Tensor<B, 2>) -> Tensor<B, 2> {
        if self.is_alone() {
            return own;
        }
        let device = own.device();
        let [_, width] = own.dims();
        let counts = counts_of(self.batch_size, self.group.place().size, width);
        let all = expected(self.group.gather(&host(own), &counts));
        from_host(all, [self.batch_size, width], &device)
    }

    /// Numbers of all images of the batch from those of this rank's, in the order of the rows.
    pub(crate) fn gather_numbers(&self, own: &[u64]) -> Vec<u64> {
        if self.is_alone() {
            return own.to_vec();
        }
        let mut all = vec![0; self.batch_size];
        all[self.share()].copy_from_slice(own);
        expected(self.group.sum((&mut all[..]).into()));
        all
    }

    /// Replaces values by their sums.
    pub(crate) fn sum(&self, values: &mut [f32]) {
        if !self.is_alone() {
            expected(self.group.sum(values.into()));
        }
    }

    /// The number of ranks for which each flag is set.
    pub(crate) fn count<const N: usize>(&self, flags: [bool; N]) -> [usize; N] {
        match self.is_alone() {
            true => flags.map(usize::from),
            false => expected(self.group.count(flags)),
        }
    }

    /// Whether every rank has the same number.
    pub(crate) fn have_equal(&self, number: u64) -> bool {
        let place = self.group.place();
        let mut all = vec![0; place.size];
        all[place.rank] = number;
        if !self.is_alone() {
            expected(self.group.sum((&mut all[..]).into()));
        }
        all.iter().all(|other| *other == number)
    }

    /// Returns when all ranks have called it.
    pub(crate) fn barrier(&self) {
        if !self.is_alone() {
            expected(self.group.barrier());
        }
    }

    /// The bytes of rank 0.
    pub(crate) fn of_first(&self, bytes: Vec<u8>) -> Vec<u8> {
        let mut bytes = bytes;
        if !self.is_alone() {
            expected(self.group.broadcast(&mut bytes));
        }
        bytes
    }

    /// Work that only rank 0 does; the others wait for it. All ranks get its result.
    ///
    /// # Errors
    /// The work's error; on the other ranks [`RunError::OnAnotherRank`].
    pub(crate) fn on_first<T: Default>(
        &self,
        work: impl FnOnce() -> Result<T, RunError>,
        encode: impl FnOnce(&T) -> Vec<u8>,
        decode: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, RunError> {
        if self.is_alone() {
            return work();
        }
        if self.is_first() {
            let result = work();
            self.of_first(message(&result, encode));
            return result;
        }
        let bytes = self.of_first(Vec::new());
        read_message(&bytes, decode)
    }

    /// [`on_first`](Self::on_first) of work that decides something.
    pub(crate) fn decided_by_first(&self, work: impl FnOnce() -> Result<bool, RunError>) -> Result<bool, RunError> {
        self.on_first(work, |&decided| vec![u8::from(decided)], |bytes| bytes == [1])
    }

    /// The result of work that every rank has done, if it failed on none.
    ///
    /// # Errors
    /// This rank's own error, or [`RunError::OnAnotherRank`].
    pub(crate) fn agreed<T>(&self, result: Result<T, RunError>) -> Result<T, RunError> {
        if self.is_alone() {
            return result;
        }
        let place = self.group.place();
        let mut failed = vec![0; place.size];
        failed[place.rank] = u64::from(result.is_err());
        expected(self.group.sum((&mut failed[..]).into()));
        match (result, failed.iter().position(|&failed| failed > 0)) {
            (Ok(value), None) => Ok(value),
            (Ok(_), Some(first)) => Err(RunError::OnAnotherRank(Box::new(RunError::Failed(anyhow::anyhow!(
                "rank {first} of {} failed",
                place.size
            ))))),
            // One line, also if all fail for one reason.
            (Err(error), Some(first)) if first < place.rank => Err(RunError::OnAnotherRank(Box::new(error))),
            (Err(error), _) => Err(error),
        }
    }

    /// Runs `work`; a call to the others that fails within it is an error of the run.
    ///
    /// # Errors
    /// Those of `work`, and [`RunError::Failed`] with the [`GroupError`].
    pub(crate) fn caught<T>(&self, work: impl FnOnce() -> Result<T, RunError>) -> Result<T, RunError> {
        if self.is_alone() {
            return work();
        }
        // What the work leaves half done is dropped with the run.
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(result) => result,
            Err(payload) => match payload.downcast::<GroupError>() {
                Ok(error) => Err(RunError::Failed(anyhow::Error::new(*error))),
                Err(payload) => resume_unwind(payload),
            },
        }
    }
}

fn message<T>(result: &Result<T, RunError>, encode: impl FnOnce(&T) -> Vec<u8>) -> Vec<u8> {
    let (kind, content) = match result {
        Ok(value) => (0, encode(value)),
        Err(error) => {
            let kind = match error.kind() {
                RunError::Interrupted(_) => 1,
                RunError::Usage(_) => 2,
                _ => 3,
            };
            (kind, error.to_string().into_bytes())
        }
    };
    let mut bytes = vec![kind];
    bytes.extend(content);
    bytes
}

fn read_message<T: Default>(bytes: &[u8], decode: impl FnOnce(&[u8]) -> T) -> Result<T, RunError> {
    let Some((kind, content)) = bytes.split_first() else {
        return Ok(T::default());
    };
    let text = || String::from_utf8_lossy(content).into_owned();
    Err(RunError::OnAnotherRank(Box::new(match kind {
        0 => return Ok(decode(content)),
        1 => RunError::Interrupted(text()),
        2 => RunError::usage(text()),
        _ => RunError::Failed(anyhow::anyhow!(text())),
    })))
}

/// Exchange of a loss that divides its work among the ranks.
impl<B: Backend> Peers<B> for Ranks {
    fn total(&self, count: usize) -> usize {
        let mut count = [count as u64];
        if !self.is_alone() {
            expected(self.group.sum((&mut count[..]).into()));
        }
        count[0] as usize
    }

    fn sum(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        if self.is_alone() {
            return x;
        }
        let (device, shape) = (x.device(), x.dims());
        let mut values = host(x);
        Self::sum(self, &mut values);
        from_host(values, shape, &device)
    }

    fn gather(&self, rows: Tensor<B, 2>) -> (Tensor<B, 2>, usize) {
        (self.gather_rows(rows), self.first_row())
    }
}

/// A tensor's values on the host.
pub(super) fn host<B: Backend, const D: usize>(x: Tensor<B, D>) -> Vec<f32> {
    let x = if x.dtype() == DType::F32 {
        x
    } else {
        x.cast(FloatDType::F32)
    };
    x.into_data().into_vec().expect("f32, as cast above")
}

/// A tensor of these values in f32.
pub(super) fn from_host<B: Backend, const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &B::Device,
) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_group::Threads;

    #[test]
    fn ranks_have_as_many_micro_batches_which_cover_their_rows() {
        for (size, batch_size, most) in [(1, 12, 5), (2, 12, 5), (3, 13, 2), (4, 7, 1), (3, 3, 8), (2, 9, 4)] {
            let found = Threads::new(size).run(|group| {
                let ranks = Ranks::new(group, SyncNorm::None, batch_size);
                let rows = ranks.share().len();
                let parts = ranks.micro_batches(rows, most);
                assert!(parts.iter().all(|part| !part.is_empty()));
                assert_eq!(parts.iter().map(Range::len).sum::<usize>(), rows);
                parts.len()
            });
            let found: Vec<usize> = found.into_iter().map(Result::unwrap).collect();
            assert!(found.iter().all(|count| *count == found[0]), "{found:?}");
        }
    }

    #[test]
    fn work_of_the_first_rank_reaches_all_with_its_error() {
        let found = Threads::new(3).run(|group| {
            let ranks = Ranks::new(group, SyncNorm::All, 6);
            let first = ranks.is_first();
            let yes = ranks.decided_by_first(|| {
                assert!(first, "only rank 0 works");
                Ok(true)
            });
            let stopped = ranks.decided_by_first(|| Err(RunError::Interrupted("at step 3".to_owned())));
            let full = ranks.decided_by_first(|| Err(RunError::Failed(anyhow::anyhow!("no space left"))));
            (yes.unwrap(), stopped.unwrap_err(), full.unwrap_err())
        });
        for (rank, found) in found.into_iter().enumerate() {
            let (yes, stopped, full) = found.unwrap();
            assert!(yes);
            assert_eq!(matches!(stopped, RunError::OnAnotherRank(_)), rank > 0);
            assert!(matches!(stopped.kind(), RunError::Interrupted(line) if line == "at step 3"));
            assert!(matches!(full.kind(), RunError::Failed(_)) && full.to_string() == "no space left");
        }
    }

    #[test]
    fn a_failure_of_one_rank_is_known_to_all() {
        let found = Threads::new(3).run(|group| {
            let ranks = Ranks::new(group, SyncNorm::All, 6);
            let fails = ranks.group().place().rank == 1;
            let own = if fails {
                Err(RunError::usage("a corrupt image"))
            } else {
                Ok(7)
            };
            (ranks.agreed(own), ranks.agreed(Ok(7)))
        });
        for (rank, found) in found.into_iter().enumerate() {
            let (failed, good) = found.unwrap();
            assert_eq!(good.unwrap(), 7);
            assert_eq!(matches!(failed.unwrap_err(), RunError::OnAnotherRank(_)), rank != 1);
        }
    }

    #[test]
    fn an_ended_rank_is_an_error_of_the_run() {
        let found = Threads::new(2).run(|group| {
            let ranks = Ranks::new(group, SyncNorm::All, 6);
            ranks.caught(|| {
                if ranks.is_first() {
                    ranks.barrier();
                }
                Ok(())
            })
        });
        let error = found[0].as_ref().unwrap().as_ref().unwrap_err();
        assert!(error.to_string().contains("rank 1 has ended"), "{error}");
    }
}
