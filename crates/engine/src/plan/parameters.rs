//! How many values are trained.

/// Trained values of the network's parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Images to representations.
    pub backbone: usize,
    /// Representations to embeddings, and what lies behind.
    pub heads: usize,
}
