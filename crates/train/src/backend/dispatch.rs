//! From a device that was selected to a backend's type. Generic, so that a backend is compiled where work is given: in the
//! program, and not once more for the library's unit tests.

use super::{Device, Selected, TrainBackend};

/// Work that is written once for every backend.
pub trait OnBackend {
    /// What the work gives.
    type Output;

    /// Does the work on a backend's device.
    fn run<B: TrainBackend>(self, device: &B::Device) -> Self::Output;
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
