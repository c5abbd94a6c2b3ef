//! 2-D convolution and its two gradients.

mod autodiff;
#[cfg(feature = "cpu")]
mod flex;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod gpu;
mod groups;
mod input_gradient;
mod ops;
pub mod reference;

pub use ops::{ConvOps, conv2d, grouped_conv2d};
