//! The device that a run takes.

use super::Device;
use barlow_engine::backend::DeviceLabel;
use clap::ValueEnum;
use std::fmt;

/// What `--backend` takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum BackendChoice {
    /// CUDA, else a hardware adapter of WGPU, else the CPU.
    #[default]
    Auto,
    /// NVIDIA, through the driver and the CUDA toolkit.
    Cuda,
    /// Vulkan, on macOS Metal; a software adapter too when asked for by name.
    Wgpu,
    /// This machine's processor.
    Cpu,
}

/// The device that a run takes.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The device.
    pub device: Device,
    /// `cpu`, `wgpu` or `cuda`.
    pub backend: &'static str,
    /// The device's own name.
    pub name: String,
    /// Why this one.
    pub reason: String,
}

impl Selected {
    /// How the run names it.
    pub fn label(&self) -> DeviceLabel {
        DeviceLabel {
            backend: self.backend.to_owned(),
            name: self.name.clone(),
            reason: self.reason.clone(),
        }
    }
}

impl fmt::Display for Selected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} on {} ({})", self.backend, self.name, self.reason)
    }
}
