//! What a forward pass does with batch statistics.
//!
//! Apart from the layer, because every module on the way from an image to an embedding passes it on. Never decided by
//! whether the backend differentiates: features of an autodiff model can be frozen, and a plain one can move its
//! statistics.

/// Which statistics a batch norm uses, and whether its running statistics move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NormMode {
    /// Statistics of the batch; the running statistics move once per forward pass, so once per step and view.
    Train,
    /// Statistics of the batch, nothing moves: the second pass of cached gradients, which sees each image twice.
    TrainFrozenStats,
    /// The running statistics, nothing moves: kNN, probes, export.
    Eval,
}
