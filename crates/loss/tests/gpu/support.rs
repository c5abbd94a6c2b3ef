//! Test support: the device under test, and tensor transfers to and from it.

use std::io::{Write as _, stderr};
use std::panic::catch_unwind;
use std::sync::OnceLock;

use barlow_loss::ops::LossOps;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData, TensorPrimitive};
use burn_cubecl::CubeBackend;
use burn_wgpu::graphics::AutoGraphicsApi;
use burn_wgpu::{Wgpu, WgpuDevice, WgpuRuntime};

/// The WGPU backend without the fusion layer.
pub type Plain = CubeBackend<WgpuRuntime, f32, i32, u32>;
/// The WGPU backend with the fusion layer, as programs use it.
pub type Fused = Wgpu<f32, i32, u32>;

/// The device shared by all tests. Without an adapter the tests are skipped with a message; in CI they fail.
pub fn device() -> Option<WgpuDevice> {
    static DEVICE: OnceLock<Option<WgpuDevice>> = OnceLock::new();
    const MISSING: &str = "no WGPU adapter: install a Vulkan driver (mesa-vulkan-drivers)";
    let device = DEVICE.get_or_init(|| {
        let device = WgpuDevice::default();
        let found =
            catch_unwind(|| burn_wgpu::init_setup::<AutoGraphicsApi>(&WgpuDevice::default(), Default::default()));
        if found.is_err() {
            // Not with `eprintln!`, whose output the test harness captures.
            let line = format!("SKIPPED, nothing tested: {MISSING}\n");
            stderr().write_all(line.as_bytes()).unwrap();
        }
        found.is_ok().then_some(device)
    });
    assert!(device.is_some() || std::env::var_os("CI").is_none(), "{MISSING}");
    device.clone()
}

/// [`LossOps::correlation_sums`] on a tensor: C [D, D] to four values.
pub fn sums<B: LossOps>(c: Tensor<B, 2>) -> Vec<f32> {
    read(Tensor::<B, 1>::from_primitive(TensorPrimitive::Float(
        B::correlation_sums(float(c)),
    )))
}

/// [`LossOps::correlation_gradient`] on tensors: C [D, D] and weights [2] to dC [D, D].
pub fn gradient<B: LossOps>(c: Tensor<B, 2>, weights: Tensor<B, 1>) -> Tensor<B, 2> {
    Tensor::from_primitive(TensorPrimitive::Float(B::correlation_gradient(
        float(c),
        float(weights),
    )))
}

/// The backend's primitive of a tensor.
pub fn float<B: Backend, const D: usize>(x: Tensor<B, D>) -> B::FloatTensorPrimitive {
    x.into_primitive().tensor()
}

/// The values of a tensor of any rank and float type.
pub fn read<B: Backend, const D: usize>(x: Tensor<B, D>) -> Vec<f32> {
    x.into_data().convert::<f32>().to_vec().unwrap()
}

/// A matrix [d, values / d] from row-major values.
pub fn matrix<B: Backend>(values: &[f32], d: usize, device: &B::Device) -> Tensor<B, 2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [d, values.len() / d]), device)
}

/// Random numbers in −1..1 from a seed (SplitMix64).
pub fn uniform(count: usize, mut seed: u64) -> Vec<f32> {
    let mut draw = || {
        seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..count).map(|_| draw()).collect()
}
