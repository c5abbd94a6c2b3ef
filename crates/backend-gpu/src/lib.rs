//! The code generators of GPU kernels, compiled once for all GPU backends.
//!
//! Burn's operations are generic over CubeCL's runtime, and so are all functions that they reach: a crate that uses one on WGPU and
//! another that uses it on CUDA each compile everything, although what writes a kernel's code, two thirds of it, does not depend on
//! the runtime. That part runs once for each kernel, when it is first used, so it need not be optimised.
//!
//! Here the operations of a training step are instantiated for a runtime that is never used, without optimisation. A crate that is
//! compiled at `opt-level = 1` and depends on this one finds the functions that do not depend on the runtime and links to them: at
//! that level rustc shares generic functions among crates (`-Z share-generics`, its default there). Nothing here is ever called, and
//! nothing but the time of a build depends on it (`docs/src/benchmarks.md`, "Build time").

use burn::backend::Autodiff;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, module};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::Runtime;
use burn_cubecl::cubecl::client::ComputeClient;
use burn_cubecl::cubecl::device::DeviceId;
use burn_cubecl::cubecl::ir::TargetProperties;
use burn_cubecl::cubecl::server::ComputeServer;
use burn_cubecl::cubecl::wgpu::{AutoCompiler, WgpuDevice, WgpuServer};
use burn_cubecl::cubecl::zspace::{Shape, Strides};
use burn_fusion::Fusion;

/// A runtime that has types and no device.
#[derive(Clone, Debug)]
pub struct NoRuntime;

const NEVER: &str = "the code generators are compiled for this runtime and never run on it";

impl Runtime for NoRuntime {
    type Compiler = AutoCompiler;
    type Server = WgpuServer;
    type Device = WgpuDevice;

    fn client(_: &Self::Device) -> ComputeClient<Self> {
        unreachable!("{NEVER}")
    }

    fn name(_: &ComputeClient<Self>) -> &'static str {
        unreachable!("{NEVER}")
    }

    fn max_cube_count() -> (u32, u32, u32) {
        unreachable!("{NEVER}")
    }

    fn can_read_tensor(_: &Shape, _: &Strides) -> bool {
        unreachable!("{NEVER}")
    }

    fn target_properties() -> TargetProperties {
        unreachable!("{NEVER}")
    }

    fn enumerate_devices(_: u16, _: &<Self::Server as ComputeServer>::Info) -> Vec<DeviceId> {
        unreachable!("{NEVER}")
    }
}

type B = Autodiff<Fusion<CubeBackend<NoRuntime, f32, i32, u32>>>;

/// Every kind of operation of a training step, forward and backward.
#[inline(never)]
pub fn instantiate(device: &WgpuDevice) -> f32 {
    let x = Tensor::<B, 4>::zeros([1, 1, 1, 1], device).require_grad();
    let weight = Tensor::<B, 4>::zeros([1, 1, 1, 1], device).require_grad();
    let y = module::conv2d(x.clone(), weight, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
    let y = module::max_pool2d(y, [1, 1], [1, 1], [0, 0], [1, 1], false);
    let z = y.reshape([1, 1]).matmul(Tensor::<B, 2>::zeros([1, 1], device));
    let loss = z.exp().mean_dim(0).sum();
    let gradients = loss.backward();
    let gradient = x.grad(&gradients).expect("the loss depends on it");
    gradient.into_data().iter::<f32>().sum()
}
