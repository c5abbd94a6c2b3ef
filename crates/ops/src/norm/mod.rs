//! Batch norm fused with the operations that follow it in a residual network.

mod autodiff;
mod epilogue;
#[cfg(feature = "cpu")]
mod flex;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod gpu;
mod ops;
pub mod reference;
mod synced;
mod tensors;
mod types;

pub use epilogue::Epilogue;
pub use ops::{NormOps, batch_norm_eval, batch_norm_synced, batch_norm_train};
pub use synced::{NormPeers, SyncedNormalized};
pub use types::{Affine, NormGradients, NormSaved, Normalized, Statistics};
