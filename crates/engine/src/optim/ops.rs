//! Backend extension: the update rules, overridable per backend.
//!
//! The default bodies are the rules in tensor ops, which the GPU backends fuse by themselves; `flex` is the CPU's.

use super::{AdamW, Lars, Sgd, Update, Updated};
use burn::tensor::backend::Backend;

/// What the optimisers need of a backend beyond Burn's own ops. Whoever overrides keeps to the rule's formula; the default
/// body is what tests compare with.
pub trait OptimOps: Backend {
    /// One parameter under AdamW; the buffers are the first and the second moment.
    fn adamw(rule: &AdamW, update: Update<Self>) -> Updated<Self> {
        rule.update(update)
    }

    /// One parameter under LARS; the buffer is the momentum. Norms are summed in an order that the shape alone decides.
    fn lars(rule: &Lars, update: Update<Self>) -> Updated<Self> {
        rule.update(update)
    }

    /// One parameter under SGD; the buffer is the momentum.
    fn sgd(rule: &Sgd, update: Update<Self>) -> Updated<Self> {
        rule.update(update)
    }
}

#[cfg(feature = "wgpu")]
impl OptimOps for burn_wgpu::Wgpu {}

#[cfg(all(feature = "cuda", any(target_os = "linux", target_os = "windows")))]
impl OptimOps for burn_cuda::Cuda {}
