//! Backend extension: the operations that the fused forms of the loss need beyond Burn's own ops.
//!
//! [`LossOps`] has default implementations in Burn's own ops, so an empty impl supports a backend type of your own crate (Rust's
//! orphan rule allows no others; use [`forward_portable`](crate::BarlowTwinsLoss::forward_portable) for backends without an impl
//! here). Faster backends override the default implementations: `flex`, for the CPU, overrides whole forms. Under autodiff each
//! form is one node with the embeddings as parents (`autodiff`). This module is independent of lambda, scale, objectives and
//! diagnostics: the interface is the packed vector of [`LossOps::correlation_sums`].

mod autodiff;
#[cfg(feature = "cpu")]
mod flex;
pub(crate) mod forms;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod gpu;
mod loss_ops;
#[cfg(feature = "ndarray")]
mod ndarray;
mod portable;
mod terms;

pub use loss_ops::LossOps;
pub(crate) use portable::correlation_sums as portable_correlation_sums;
pub use terms::{Forward, Product, Saved};
