//! What a forward pass does with batch statistics.
//!
//! Every module from the images to the embeddings takes the mode and passes it on. Whether the backend differentiates never decides:
//! an autodiff model can be evaluated, and a plain one can update its statistics.

/// Which statistics a batch norm uses, and whether it updates its running statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NormMode {
    /// Statistics of the batch; the running statistics are updated once per forward pass, so once per step and view.
    Train,
    /// Statistics of the batch, no update: the second pass of cached gradients, which sees each image again.
    TrainFrozenStats,
    /// The running statistics, no update: kNN, probes, export.
    Eval,
}
