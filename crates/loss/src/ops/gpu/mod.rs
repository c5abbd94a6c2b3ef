//! [`LossOps`] for the GPU backends: CubeCL kernels for f32, the default implementations for everything else.

mod fusion;
mod kernels;
mod launch;

use std::sync::Once;

use burn::tensor::DType;
use burn::tensor::ops::FloatTensor;
use burn_cubecl::cubecl::server::ComputeServer;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};

use self::launch::Plan;
use super::{LossOps, portable};

impl<R, F, I, BT> LossOps for CubeBackend<R, F, I, BT>
where
    R: CubeRuntime,
    R::Server: ComputeServer,
    R::Device: burn_backend::DeviceOps,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    fn correlation_sums(c: FloatTensor<Self>) -> FloatTensor<Self> {
        match plan(&c) {
            Some(plan) => launch::correlation_sums(c, &plan),
            None => portable::correlation_sums::<Self>(c),
        }
    }

    fn correlation_gradient(c: FloatTensor<Self>, weights: FloatTensor<Self>) -> FloatTensor<Self> {
        match plan(&c) {
            Some(plan) if weights.dtype == DType::F32 => launch::correlation_gradient(c, weights, &plan),
            _ => portable::correlation_gradient::<Self>(c, weights),
        }
    }

    fn largest_buffer(device: &Self::Device) -> Option<u64> {
        Some(R::client(device).properties().memory.max_page_size)
    }
}

/// The launch plan of the kernels for C [D, D], or `None` if the default implementations must be used: for element types other
/// than f32 (without a warning), and on devices that cannot launch the kernels (with a warning on standard error).
fn plan<R: CubeRuntime>(c: &CubeTensor<R>) -> Option<Plan> {
    if c.dtype != DType::F32 {
        return None;
    }
    Plan::new(c.meta.shape()[0], c.client.properties())
        .inspect_err(|why| warn_once(why))
        .ok()
}

/// Warns once per process that the kernels are not used, with the reason.
fn warn_once(why: &str) {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        eprintln!("barlow-loss: fused kernels are not available on this device, using plain tensor operations: {why}")
    });
}
