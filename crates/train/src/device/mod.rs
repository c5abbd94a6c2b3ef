//! Which device a run takes: what was asked for, what is really there, and why.
//!
//! Everything is probed before a tensor exists, because CubeCL panics where a driver or a toolkit is missing. The
//! probes know drivers; nothing here knows of models or data.

#[cfg(feature = "cpu")]
mod cpu;
#[cfg(all(feature = "cuda", any(target_os = "linux", target_os = "windows")))]
mod cuda;
mod details;
mod dispatch;
mod error;
mod found;
mod select;
mod selected;
#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod tuning;
#[cfg(feature = "wgpu")]
mod wgpu;

pub use details::Details;
pub use dispatch::{OnBackend, on_backend};
pub use error::BackendError;
pub use found::{Device, Found, Probe};
pub use select::{probe_all, select};
pub use selected::{BackendChoice, Selected};
