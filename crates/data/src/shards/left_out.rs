//! [`LeftOutOfShards`], what a reader did not use of a set, counted by reason.

use std::fmt;

/// Things of one kind that were left out of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOutOfShards {
    /// What they are and why they are not used, as a plural: "images without a label".
    pub reason: String,
    /// How many.
    pub count: usize,
    /// The name of the first one.
    pub first: String,
}

impl fmt::Display for LeftOutOfShards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, such as {}", self.reason, self.count, self.first)
    }
}

/// Most reasons that are kept apart; more are counted under the last one. A hostile file could name any number.
const MAX_REASONS: usize = 32;

/// Counts by reason, in the order of their first occurrence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LeftOuts(Vec<LeftOutOfShards>);

impl LeftOuts {
    /// Counts `count` things; `first` is called for the first of a reason only.
    pub(crate) fn add(&mut self, reason: &str, count: usize, first: impl FnOnce() -> String) {
        let known = self.0.iter().position(|known| known.reason == reason);
        match known.or((self.0.len() >= MAX_REASONS).then_some(MAX_REASONS - 1)) {
            Some(known) => self.0[known].count = self.0[known].count.saturating_add(count),
            None => self.0.push(LeftOutOfShards {
                reason: reason.into(),
                count,
                first: first(),
            }),
        }
    }

    /// The first reason in brackets, for a message that there are no images; empty without one.
    pub(crate) fn first_in_brackets(&self) -> String {
        self.0.first().map_or(String::new(), |first| format!(" ({first})"))
    }

    pub(crate) fn into_vec(self) -> Vec<LeftOutOfShards> {
        self.0
    }
}
