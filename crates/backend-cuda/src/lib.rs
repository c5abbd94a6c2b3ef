//! NVIDIA GPUs as devices of `barlow-engine`: what CUDA needs is probed before CubeCL would panic, and training is compiled for Burn's
//! CUDA backend. Linux and Windows only; elsewhere the crate is empty.

// Linked for the code generators that are compiled there.
use barlow_backend_gpu as _;

#[cfg(any(target_os = "linux", target_os = "windows"))]
mod probe;

#[cfg(any(target_os = "linux", target_os = "windows"))]
pub use probe::probe;

/// CUDA's devices, or what is missing.
#[cfg(not(any(target_os = "linux", target_os = "windows")))]
pub fn probe() -> barlow_engine::device::Probe {
    Err("CUDA exists on Linux and Windows only; use --backend wgpu".into())
}
