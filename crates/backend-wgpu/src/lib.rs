//! WGPU adapters as devices of `barlow-engine`: listed as CubeCL numbers them, hardware first, with training compiled for Burn's WGPU
//! backend.

// Linked for the code generators that are compiled there.
use barlow_backend_gpu as _;

use barlow_engine::device::{BackendDevice, Details, Found, Probe};
use burn::backend::Autodiff;
use burn_wgpu::Wgpu;
use burn_wgpu::WgpuDevice;
use burn_wgpu::graphics::{AutoGraphicsApi, GraphicsApi};
use std::collections::HashMap;
use std::sync::Arc;
use wgpu::{DeviceType, Features, Instance, InstanceDescriptor};

/// The adapters of this system's graphics API, or what is missing.
pub fn probe() -> Probe {
    let backend = AutoGraphicsApi::backend();
    let descriptor = InstanceDescriptor {
        backends: backend.into(),
        ..InstanceDescriptor::new_without_display_handle()
    };
    let instance = Instance::new(descriptor);
    let adapters = futures_lite::future::block_on(instance.enumerate_adapters(backend.into()));
    let mut count_by_type: HashMap<DeviceType, usize> = HashMap::new();
    let mut found: Vec<(u8, WgpuDevice, Found)> = Vec::new();
    for adapter in adapters {
        let info = adapter.get_info();
        let number = count_by_type.entry(info.device_type).or_default();
        let (rank, device) = match info.device_type {
            DeviceType::DiscreteGpu => (0, WgpuDevice::DiscreteGpu(*number)),
            DeviceType::IntegratedGpu => (1, WgpuDevice::IntegratedGpu(*number)),
            DeviceType::VirtualGpu => (2, WgpuDevice::VirtualGpu(*number)),
            DeviceType::Cpu if *number == 0 => (4, WgpuDevice::Cpu),
            // CubeCL can address one software adapter, and one of an unknown type through the default device.
            DeviceType::Other if *number == 0 => (3, WgpuDevice::DefaultDevice),
            DeviceType::Cpu | DeviceType::Other => continue,
        };
        *number += 1;
        let name = format!("{} ({backend:?}, {})", info.name, info.driver);
        let software = info.device_type == DeviceType::Cpu;
        found.push((
            rank,
            device.clone(),
            Found {
                device: Arc::new(BackendDevice::<Autodiff<Wgpu>>::new(device)),
                name,
                software,
                details: Details {
                    driver: Some(info.driver_info.clone()).filter(|driver| !driver.is_empty()),
                    memory_bytes: None,
                    largest_buffer_bytes: Some(adapter.limits().max_storage_buffer_binding_size),
                    f16: adapter.features().contains(Features::SHADER_F16),
                    // WGSL, which kernels are compiled to, has none.
                    bf16: false,
                    plane_operations: adapter.features().contains(Features::SUBGROUP),
                },
            },
        ));
    }
    if found.is_empty() {
        return Err(format!(
            "no {backend:?} adapter{}; install the graphics driver (on Debian mesa-vulkan-drivers has one for every GPU and a \
             software one), or use --backend cpu",
            driver_files()
        ));
    }
    // The default device is another one where there is another.
    if found.len() > 1 {
        found.retain(|(_, device, _)| *device != WgpuDevice::DefaultDevice);
    }
    found.sort_by_key(|(rank, ..)| *rank);
    Ok(found.into_iter().map(|(.., found)| found).collect())
}

/// The Vulkan loader searches nowhere else if one of these is set: the user may have set it for another program.
fn driver_files() -> String {
    let set = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"]
        .into_iter()
        .find_map(|name| Some((name, std::env::var_os(name)?)));
    set.map_or(String::new(), |(name, files)| {
        format!(
            " (only drivers in {name}={} were searched for)",
            files.to_string_lossy()
        )
    })
}
