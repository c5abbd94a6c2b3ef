//! From a device that was selected to a backend's type. Generic, so that a backend is compiled where work is given: in the
//! program, and not once more for the library's unit tests.

use super::{Device, Selected};
use barlow_engine::backend::TrainBackend;

/// Work that is written once for every backend.
pub trait OnBackend: Send {
    /// What the work gives.
    type Output: Send;

    /// Does the work on a backend's device.
    fn run<B: TrainBackend>(self, device: &B::Device) -> Self::Output;
}

/// Does `work` on the device that was selected; the CPU's on a thread of the global pool, where an operation begins without
/// waking another thread and waiting for it (3 % of a small step).
pub fn on_backend<W: OnBackend>(selected: &Selected, work: W) -> W::Output {
    use burn::backend::Autodiff;
    match &selected.device {
        #[cfg(feature = "cpu")]
        Device::Cpu => rayon::scope(|_| work.run::<Autodiff<burn_flex::Flex>>(&burn_flex::FlexDevice)),
        #[cfg(feature = "wgpu")]
        Device::Wgpu(device) => work.run::<Autodiff<burn_wgpu::Wgpu>>(device),
        #[cfg(all(feature = "cuda", any(target_os = "linux", target_os = "windows")))]
        Device::Cuda(number) => work.run::<Autodiff<burn_cuda::Cuda>>(&burn_cuda::CudaDevice::new(*number)),
    }
}
