//! Backend extension: what the fused forms of the loss need beyond Burn's own ops.
//!
//! [`LossOps`] has default bodies made of Burn's own ops, so an empty impl is enough for a backend type of your own crate (Rust's
//! orphan rule allows it for no other; those that have no impl here take
//! [`forward_portable`](crate::BarlowTwinsLoss::forward_portable)). A backend with something better overrides them (`flex` for the CPU overrides whole forms). Under autodiff each form is one node with the
//! embeddings as parents (`autodiff`). Nothing here knows of lambda, scale, objectives or diagnostics: the currency
//! is the packed vector of [`LossOps::correlation_sums`].

mod autodiff;
#[cfg(feature = "cpu")]
mod flex;
pub(crate) mod forms;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod gpu;
#[cfg(feature = "ndarray")]
mod ndarray;
mod portable;

pub(crate) use portable::correlation_sums as portable_correlation_sums;

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

/// Which matrix product stands behind the sum of squares of C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Product {
    /// C itself, [D, D]: 6 N D² operations forward and backward.
    Direct,
    /// The two Gram matrices Z_a Z_aᵀ and Z_b Z_bᵀ, [N, N]: ‖C‖²_F = ⟨Z_a Z_aᵀ, Z_b Z_bᵀ⟩_F / N². 8 N² D operations, no D × D.
    Gram,
}

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

    /// The most bytes that one tensor may have on the device; `None` where memory is the only limit.
    fn largest_buffer(_device: &Self::Device) -> Option<u64> {
        None
    }

    /// The sums of [`correlation_sums`](Self::correlation_sums) from the embeddings `z` of both views, each [N, D] and not
    /// yet standardised; `epsilon` is added to the biased variance. With `keep`, also what the backward pass needs.
    fn terms_forward(product: Product, z: [FloatTensor<Self>; 2], epsilon: f64, keep: bool) -> Forward<Self> {
        forms::forward(product, z, epsilon, keep)
    }

    /// The gradients of [`terms_forward`](Self::terms_forward) for the embeddings, [N, D] each and only where `wanted`, given
    /// that of its sums, `[4]`. Entries 2 and 3 of it are ignored: those sums are diagnostics.
    fn terms_backward(
        product: Product,
        saved: Saved<Self>,
        gradient: FloatTensor<Self>,
        wanted: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 2] {
        forms::backward(product, saved, gradient, wanted)
    }
}

/// What [`LossOps::terms_forward`] gives.
#[derive(Debug)]
pub struct Forward<B: Backend> {
    /// `[4]`, as [`LossOps::correlation_sums`].
    pub sums: FloatTensor<B>,
    /// For the backward pass of the same backend and product, in an order of its own; empty if nothing was to be kept.
    pub kept: Vec<FloatTensor<B>>,
}

/// What [`LossOps::terms_backward`] needs of the forward pass.
#[derive(Debug)]
pub struct Saved<B: Backend> {
    /// The embeddings of both views, [N, D].
    pub z: [FloatTensor<B>; 2],
    /// [`Forward::kept`].
    pub kept: Vec<FloatTensor<B>>,
}
