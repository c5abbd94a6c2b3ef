//! Backend extension: the two passes over C that no chain of tensor operations does in one read.
//!
//! [`LossOps`] has default bodies made of Burn's own ops, so any backend works by an empty impl; a backend with something
//! better overrides them. Nothing here knows of embeddings: operands are C [D, D] and what belongs to it.

#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod gpu;
mod portable;

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

/// What the forms of the loss need of a backend beyond Burn's own ops. All tensors are f32.
pub trait LossOps: Backend {
    /// One read of C [D, D] → `[4]`: Σ (1 − c_ii)², Σ_{i≠j} c_ij², Σ c_ii, Σ c_ii². The same bytes in every run.
    fn correlation_sums(c: FloatTensor<Self>) -> FloatTensor<Self> {
        portable::correlation_sums::<Self>(c)
    }

    /// dL/dC [D, D] from C [D, D] and `weights` `[2]`, the gradients of L for Σ (1 − c_ii)² (w₀) and Σ_{i≠j} c_ij² (w₁):
    /// 2 w₁ c_ij off the diagonal, −2 w₀ (1 − c_ii) on it.
    fn correlation_gradient(c: FloatTensor<Self>, weights: FloatTensor<Self>) -> FloatTensor<Self> {
        portable::correlation_gradient::<Self>(c, weights)
    }

    /// Largest single buffer in bytes that the device can bind; `None` where there is no limit to speak of.
    fn largest_buffer(_device: &Self::Device) -> Option<u64> {
        None
    }
}

#[cfg(feature = "cpu")]
impl LossOps for burn_flex::Flex {}
