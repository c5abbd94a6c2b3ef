//! Max pooling and global mean pooling.

mod autodiff;
#[cfg(feature = "cpu")]
mod flex;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod gpu;
mod ops;
pub mod reference;
mod types;

pub use ops::{PoolOps, max_pool2d, mean_pool2d};
pub use types::{MaxPooled, Window};
