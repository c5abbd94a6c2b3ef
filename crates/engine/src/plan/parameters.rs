//! Parameter counts.

/// Numbers of trained parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// Of the backbone, from images to representations.
    pub backbone: usize,
    /// Of the heads, from representations to embeddings and beyond.
    pub heads: usize,
}
