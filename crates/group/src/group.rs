//! The trait of a rank.

use crate::{GroupError, Place, Summands};
use std::fmt::Debug;
use std::sync::Arc;

/// One rank of a run.
///
/// All calls but [`place`](Group::place) and [`node`](Group::node) are collective: every rank makes the same calls in the same
/// order, and each call returns when all ranks have made it. Results have the same bytes on every rank. A rank that ends makes the
/// calls of the others fail; none waits for ever.
pub trait Group: Debug + Send + Sync {
    /// Which rank this is.
    fn place(&self) -> &Place;

    /// Replaces each value by its sum over all ranks.
    ///
    /// # Errors
    /// [`GroupError`] if a rank has ended, makes another call or comes too late.
    fn sum(&self, values: Summands<'_>) -> Result<(), GroupError>;

    /// The values of all ranks, one after the other in the order of the ranks; `counts` has the number of values of each rank.
    ///
    /// # Errors
    /// As [`sum`](Group::sum).
    ///
    /// # Panics
    /// If there is not a count for each rank, or this rank's is not that of `own`.
    fn gather(&self, own: &[f32], counts: &[usize]) -> Result<Vec<f32>, GroupError>;

    /// Replaces the bytes of every rank by those of rank 0. The others wait for as long as rank 0 works, without a time limit.
    ///
    /// # Errors
    /// [`GroupError`] if a rank has ended or makes another call.
    fn broadcast(&self, bytes: &mut Vec<u8>) -> Result<(), GroupError>;

    /// The ranks of this rank's host.
    fn node(&self) -> Arc<dyn Group>;

    /// Ends the whole job because of an error on this rank that the others do not know of. Does nothing where the end of this
    /// process or thread has the same effect.
    fn abort(&self) {}
}

impl dyn Group {
    /// Whether this is the only rank.
    pub fn is_alone(&self) -> bool {
        self.place().size == 1
    }

    /// Whether this is the rank that writes and prints.
    pub fn is_first(&self) -> bool {
        self.place().is_first()
    }

    /// Returns when all ranks have called it.
    ///
    /// # Errors
    /// As [`Group::sum`].
    pub fn barrier(&self) -> Result<(), GroupError> {
        self.sum((&mut [0u64][..]).into())
    }

    /// The number of ranks for which each flag is set.
    ///
    /// # Errors
    /// As [`Group::sum`].
    pub fn count<const N: usize>(&self, flags: [bool; N]) -> Result<[usize; N], GroupError> {
        let mut counts = flags.map(u64::from);
        self.sum((&mut counts[..]).into())?;
        Ok(counts.map(|count| count as usize))
    }
}
