//! What the GPU backends share: operations without kernels of their own, and the queue of the fusion layer.

mod defaults;
pub(crate) mod queue;
