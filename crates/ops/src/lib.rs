//! Backend extensions for Burn: convolution, batch norm, pooling, RoIAlign and the operations of transformers, each with its gradients.
//!
//! [`ConvOps`], [`NormOps`], [`PoolOps`], [`RegionOps`] and [`TransformerOps`] are traits over `B: Backend` with default implementations in Burn's own ops, so an
//! empty impl supports a custom backend. `Flex`, the CPU backend, overrides them with kernels of this crate (feature `cpu`). CUDA
//! and WGPU override batch norm with kernels and convolution and pooling in part, all on maps that are channels last in memory,
//! as CubeCL's convolutions leave them; for the rest they use the default implementations. Under `Autodiff` each operation is one
//! node.
//!
//! The modules have the same structure: `ops` (the trait and the functions on tensors), `reference` (the default
//! implementation and the reference of the tests), `autodiff`, `flex` and `gpu`. This crate must not depend on layers or models.
//!
//! # Undefined behaviour
//!
//! The CPU kernels write through raw pointers. Their unit tests named `raw_kernels` call the kernels without Burn, on tiny
//! shapes, at [`barlow_simd::Level::Baseline`], and run under Miri:
//!
//! ```text
//! rustup +nightly component add miri
//! cargo +nightly miri test -p barlow-ops --lib raw_kernels
//! ```

mod conv;
#[cfg(feature = "cpu")]
mod cpu;
mod geometry;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod gpu;
mod model_ops;
mod norm;
mod pool;
mod region;
mod transformer;

pub use conv::{ConvOps, conv2d, grouped_conv2d, reference};
pub use geometry::ConvGeometry;
pub use model_ops::ModelOps;
pub use norm::{
    Affine, Epilogue, NormGradients, NormOps, NormPeers, NormSaved, Normalized, Statistics, SyncedNormalized,
    batch_norm_eval, batch_norm_synced, batch_norm_train, reference as norm_reference,
};
pub use pool::{MaxPooled, PoolOps, Window, max_pool2d, mean_pool2d, reference as pool_reference};
pub use region::{RegionOps, Regions, RoiAlign, reference as region_reference, roi_align};
pub use transformer::{
    LayerNormGradients, LayerNormSaved, LayerNormed, TransformerOps, attention, gelu, layer_norm,
    reference as transformer_reference, softmax,
};
