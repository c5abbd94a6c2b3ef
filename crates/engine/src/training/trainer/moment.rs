//! The moments of a run at which its network is evaluated.

/// When a run evaluates its network, which decides what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before the first step: no embeddings.
    Untrained,
    /// Between epochs: no linear classifier.
    DuringRun,
    /// At the end: everything, and the features that the report shows.
    Trained,
}
