//! Backend extension: the update rules, overridable per backend.
//!
//! The default implementations are tensor ops, which the GPU backends fuse by themselves; `flex` is the CPU's.

use super::{AdamW, Lars, Sgd, Update, Updated};
use burn::tensor::backend::Backend;

/// The operations that the optimisers need beyond Burn's own. An override must follow the rule's formula; tests compare it with
/// the default implementation.
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
