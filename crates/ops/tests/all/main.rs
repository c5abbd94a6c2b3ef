//! Integration tests of `barlow-ops`: one binary, because each costs seconds to link.
#![cfg(feature = "cpu")]

mod conv;
mod conv_autodiff;
#[cfg(feature = "wgpu")]
mod conv_gpu;
#[cfg(feature = "wgpu")]
mod gpu_device;
mod grouped_conv;
#[cfg(feature = "wgpu")]
mod norm_gpu;
mod norm_ops;
mod pool_ops;
mod region_ops;
mod synced_norm;
mod transformer_ops;
