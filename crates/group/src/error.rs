//! The error of a collective call.

use crate::Place;
use std::time::Duration;
use thiserror::Error;

/// A call of a [`Group`](crate::Group) that failed, on the rank that made it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("[{place}] {fault}")]
pub struct GroupError {
    /// The rank that made the call.
    pub place: Place,
    /// What went wrong.
    pub fault: Fault,
}

/// What went wrong in a collective call.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// A rank ended before it made the call.
    #[error(
        "rank {rank} has ended, and {call} waited for it; its own error is printed by it, and the run is saved up to its last checkpoint (--resume)"
    )]
    Ended {
        /// The rank that ended.
        rank: usize,
        /// The call that waited.
        call: String,
    },
    /// Ranks did not make the call in time.
    #[error("{call} waited {} s for rank {}; look at that process, or pass a longer --timeout", after.as_secs(), join(missing))]
    TimedOut {
        /// The call that waited.
        call: String,
        /// How long it waited.
        after: Duration,
        /// The ranks that did not come, as far as is known.
        missing: Vec<usize>,
    },
    /// Another rank makes another call: their programs, configs or images differ.
    #[error("{own} here and {other} on rank {rank}: the ranks run different programs, configs or images")]
    Differs {
        /// This rank's call.
        own: String,
        /// The other rank.
        rank: usize,
        /// Its call.
        other: String,
    },
    /// The transport between the ranks could not be set up or failed.
    #[error("{0}")]
    Transport(String),
}

fn join(ranks: &[usize]) -> String {
    let ranks: Vec<String> = ranks.iter().map(usize::to_string).collect();
    ranks.join(", ")
}
