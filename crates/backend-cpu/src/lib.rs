//! The CPU as a device of `barlow-engine`: its name, threads and instruction set, and training compiled for Burn's Flex.

use barlow_engine::device::{BackendDevice, Details, Found, Probe};
use barlow_engine::host_memory;
use burn::backend::Autodiff;
use burn_flex::{Flex, FlexDevice};
use std::sync::Arc;

/// The processor, which is always available.
pub fn probe() -> Probe {
    let threads = rayon::current_num_threads();
    let name = format!("{} ({threads} threads)", cpu_name());
    Ok(vec![Found {
        device: Arc::new(BackendDevice::<Autodiff<Flex>>::on_pool(FlexDevice)),
        name,
        software: false,
        details: Details {
            driver: Some(instructions().to_owned()),
            memory_bytes: host_memory::physical(),
            ..Details::default()
        },
    }])
}

/// The instruction set that the CPU backend's own kernels use here.
pub fn instructions() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if pulp::x86::V4::try_new().is_some() {
            return "AVX-512";
        }
        if pulp::x86::V3::try_new().is_some() {
            return "AVX2";
        }
    }
    "no vector instructions of its own"
}

/// The processor's name as the system reports it, else its architecture.
fn cpu_name() -> String {
    std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}
