//! The WGPU device of the tests.

use std::io::{Write as _, stderr};
use std::panic::catch_unwind;
use std::sync::OnceLock;

use burn_wgpu::graphics::AutoGraphicsApi;
use burn_wgpu::{Wgpu, WgpuDevice};

/// The WGPU backend with the fusion layer, as programs use it.
pub type Fused = Wgpu<f32, i32, u32>;

/// The device shared by all tests. Without an adapter the tests are skipped with a message; in CI they fail.
pub fn device() -> Option<WgpuDevice> {
    static DEVICE: OnceLock<Option<WgpuDevice>> = OnceLock::new();
    const MISSING: &str = "no WGPU adapter: install a Vulkan driver (mesa-vulkan-drivers)";
    let device = DEVICE.get_or_init(|| {
        let found =
            catch_unwind(|| burn_wgpu::init_setup::<AutoGraphicsApi>(&WgpuDevice::default(), Default::default()));
        if found.is_err() {
            // Not with `eprintln!`, whose output the test harness captures.
            let line = format!("SKIPPED, nothing tested: {MISSING}\n");
            stderr().write_all(line.as_bytes()).unwrap();
        }
        found.is_ok().then(WgpuDevice::default)
    });
    assert!(device.is_some() || std::env::var_os("CI").is_none(), "{MISSING}");
    device.clone()
}
