//! The commands, a file each: they put the pieces together and know nothing of clap.

pub mod devices;
pub mod pretrain;
pub mod probe;
pub mod report;
pub mod views;

use barlow_train::backend::{Device, Selected};

/// Work that is written once for every backend.
pub trait OnBackend {
    /// What the work gives.
    type Output;

    /// Does the work on a backend's device.
    fn run<B: barlow_train::backend::TrainBackend>(self, device: &B::Device) -> Self::Output;
}

/// Does `work` on the device that was selected.
pub fn on_backend<W: OnBackend>(selected: &Selected, work: W) -> W::Output {
    use burn::backend::Autodiff;
    match &selected.device {
        #[cfg(feature = "cpu")]
        Device::Cpu => work.run::<Autodiff<burn_flex::Flex>>(&burn_flex::FlexDevice),
        #[cfg(feature = "wgpu")]
        Device::Wgpu(device) => work.run::<Autodiff<burn_wgpu::Wgpu>>(device),
        #[cfg(all(feature = "cuda", any(target_os = "linux", target_os = "windows")))]
        Device::Cuda(number) => work.run::<Autodiff<burn_cuda::Cuda>>(&burn_cuda::CudaDevice::new(*number)),
    }
}
