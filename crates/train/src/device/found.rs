//! The devices that the probes find.

use super::Details;

/// A device that was found.
#[derive(Clone, Debug)]
pub enum Device {
    /// The processor.
    #[cfg(feature = "cpu")]
    Cpu,
    /// An adapter.
    #[cfg(feature = "wgpu")]
    Wgpu(burn_wgpu::WgpuDevice),
    /// A CUDA device by its number.
    #[cfg(all(feature = "cuda", any(target_os = "linux", target_os = "windows")))]
    Cuda(usize),
}

/// A device of one backend, found by its probe.
#[derive(Clone, Debug)]
pub struct Found {
    /// The device.
    pub device: Device,
    /// The device's own name.
    pub name: String,
    /// Whether it is emulated on the processor.
    pub software: bool,
    /// What it can do.
    pub details: Details,
}

/// Devices of one backend, or the line that says what is missing.
pub type Probe = Result<Vec<Found>, String>;
