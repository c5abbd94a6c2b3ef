//! The device that a run takes.

use barlow_engine::backend::DeviceLabel;
use barlow_engine::device::ComputeDevice;
use clap::ValueEnum;
use std::fmt;
use std::sync::Arc;

/// The values of `--backend`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum BackendChoice {
    /// CUDA, else a hardware adapter of WGPU, else the CPU.
    #[default]
    Auto,
    /// NVIDIA, through the driver and the CUDA toolkit.
    Cuda,
    /// Vulkan, on macOS Metal; a software adapter too if requested by name.
    Wgpu,
    /// This machine's processor.
    Cpu,
}

/// The device that a run takes.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The device.
    pub device: Arc<dyn ComputeDevice>,
    /// `cpu`, `wgpu` or `cuda`.
    pub backend: &'static str,
    /// The device's own name.
    pub name: String,
    /// Why this device was selected.
    pub reason: String,
}

impl Selected {
    /// Runs `work` on the device, on the thread from which its operations start fastest.
    pub fn run<T: Send>(&self, work: impl FnOnce(&dyn ComputeDevice) -> T + Send) -> T {
        self.device.run(|device| work(device))
    }

    /// Its label in the run.
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
