//! Backend extension: the operations that the fused forms of the loss need beyond Burn's own ops.
//!
//! [`LossOps`] has default implementations in Burn's own ops, so an empty impl supports a backend type of your own crate (Rust's
//! orphan rule allows it for no other; those without an impl here use
//! [`forward_portable`](crate::BarlowTwinsLoss::forward_portable)). Faster backends override them: `flex`, for the CPU, whole forms.
//! Under autodiff each form is one node with the embeddings as parents (`autodiff`). Nothing here knows lambda, scale, objectives or
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
