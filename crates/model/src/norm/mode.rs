//! The batch norm mode of a forward pass.
//!
//! Every module from the images to the embeddings takes the mode and passes it on. The mode does not depend on the backend: a
//! model on an autodiff backend can be evaluated, and a model on a plain backend can update its statistics.

/// Which statistics a batch norm uses, and whether it updates its running statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NormMode {
    /// Statistics of the batch. The running statistics are updated once per forward pass, that is, once per step and view.
    Train,
    /// Statistics of the batch, no update: for the second pass of cached gradients, which repeats each image.
    TrainFrozenStats,
    /// The running statistics, no update: for kNN, probes and export.
    Eval,
}
