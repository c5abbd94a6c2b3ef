//! The place of a rank among the others.

use std::fmt;

/// Which rank this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of this rank, below `size`.
    pub rank: usize,
    /// Number of ranks, at least 1.
    pub size: usize,
    /// Number of this rank among those of its host; the device that it uses by default.
    pub local_rank: usize,
    /// Number of ranks on its host.
    pub local_size: usize,
    /// Name of its host.
    pub host: String,
}

impl Place {
    /// The only rank.
    pub fn alone() -> Self {
        Self {
            rank: 0,
            size: 1,
            local_rank: 0,
            local_size: 1,
            host: "localhost".to_owned(),
        }
    }

    /// # Panics
    /// If the counts of a [`gather`](crate::Group::gather) are not one per rank, or this rank's is not `own`.
    pub(crate) fn assert_counts(&self, own: usize, counts: &[usize]) {
        let Self { rank, size, .. } = *self;
        assert!(
            counts.len() == size && counts[rank] == own,
            "rank {rank} of {size} gathers {own} values, and the counts are {counts:?}"
        );
    }

    /// Whether this is the rank that writes and prints.
    pub fn is_first(&self) -> bool {
        self.rank == 0
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "rank {} of {} on {}", self.rank, self.size, self.host)
    }
}
