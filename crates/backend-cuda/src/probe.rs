//! What CUDA needs, probed in the order in which CubeCL would panic: driver, device, NVRTC, toolkit headers.
//!
//! The libraries' names are those of the binding that CubeCL itself loads, so "found" here means found there.

use barlow_engine::device::{BackendDevice, Details, Found, Probe};
use burn::backend::Autodiff;
use burn_cuda::{Cuda, CudaDevice};
use std::ffi::{CStr, c_char, c_int, c_uint};
use std::path::PathBuf;
use std::sync::Arc;

const SUCCESS: c_int = 0;

/// CUDA's devices, or what is missing.
pub fn probe() -> Probe {
    // SAFETY: loads the NVIDIA libraries by their own names; their start-up code is what any CUDA program runs.
    let (driver, nvrtc) = unsafe {
        (
            cudarc::driver::sys::is_culib_present(),
            cudarc::nvrtc::sys::is_culib_present(),
        )
    };
    if !driver {
        return Err("no NVIDIA driver (libcuda was not found); install it, or use --backend wgpu or cpu".into());
    }
    let devices = devices()?;
    if devices.is_empty() {
        return Err(
            "the NVIDIA driver is installed but finds no device; check nvidia-smi and CUDA_VISIBLE_DEVICES".into(),
        );
    }
    if !nvrtc {
        return Err(
            "the driver and a device were found, but the compiler library libnvrtc was not; \
            install the CUDA toolkit and put its lib folder on LD_LIBRARY_PATH"
                .into(),
        );
    }
    check_headers()?;
    let found = |(number, (name, details))| Found {
        device: Arc::new(BackendDevice::<Autodiff<Cuda>>::new(CudaDevice::new(number))),
        name,
        software: false,
        details,
    };
    Ok(devices.into_iter().enumerate().map(found).collect())
}

/// The devices with their names, through the driver alone: nothing is allocated and no context is made.
fn devices() -> Result<Vec<(String, Details)>, String> {
    type Init = unsafe extern "C" fn(c_uint) -> c_int;
    type Count = unsafe extern "C" fn(*mut c_int) -> c_int;
    type Name = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
    let incomplete =
        |error| format!("the library found as NVIDIA driver is not usable ({error}); reinstall the driver");
    // SAFETY: the signatures are those of cuda.h, unchanged since CUDA 2; the library stays loaded for good; every
    // pointer is to a live local of the length that is passed.
    unsafe {
        let library = cudarc::driver::sys::culib();
        let init = library.get::<Init>(b"cuInit\0").map_err(incomplete)?;
        let count = library.get::<Count>(b"cuDeviceGetCount\0").map_err(incomplete)?;
        let name = library.get::<Name>(b"cuDeviceGetName\0").map_err(incomplete)?;
        let mut devices = 0;
        let code = init(0);
        // 100 is CUDA_ERROR_NO_DEVICE.
        if code == 100 {
            return Ok(Vec::new());
        }
        if code != SUCCESS || count(&mut devices) != SUCCESS {
            return Err(format!(
                "the NVIDIA driver does not start (error {code}); check nvidia-smi"
            ));
        }
        let mut found = Vec::new();
        for device in 0..devices {
            let mut buffer = [0 as c_char; 256];
            let known = name(buffer.as_mut_ptr(), 255, device) == SUCCESS;
            let name = if known {
                CStr::from_ptr(buffer.as_ptr()).to_string_lossy().into_owned()
            } else {
                "?".into()
            };
            found.push((name, details(device)));
        }
        Ok(found)
    }
}

/// What the driver reports of a device; a field is empty if the driver does not report it.
fn details(device: c_int) -> Details {
    type Version = unsafe extern "C" fn(*mut c_int) -> c_int;
    type Memory = unsafe extern "C" fn(*mut usize, c_int) -> c_int;
    type Attribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;
    // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR.
    const CAPABILITY: [c_int; 2] = [75, 76];
    // SAFETY: as in `devices`.
    unsafe {
        let library = cudarc::driver::sys::culib();
        let version = library
            .get::<Version>(b"cuDriverGetVersion\0")
            .ok()
            .and_then(|version| {
                let mut value = 0;
                (version(&mut value) == SUCCESS).then_some(value)
            });
        let memory = library.get::<Memory>(b"cuDeviceTotalMem_v2\0").ok().and_then(|memory| {
            let mut bytes = 0;
            (memory(&mut bytes, device) == SUCCESS).then_some(bytes as u64)
        });
        let capability = library
            .get::<Attribute>(b"cuDeviceGetAttribute\0")
            .ok()
            .and_then(|attribute| {
                let mut value = [0; 2];
                let known = (0..2).all(|k| attribute(&mut value[k], CAPABILITY[k], device) == SUCCESS);
                known.then_some(value[0] * 10 + value[1])
            });
        let driver = version.map(|version| format!("CUDA {}.{}", version / 1000, version % 1000 / 10));
        let capability_text = capability.map(|capability| format!("sm_{capability}"));
        let parts: Vec<String> = driver.into_iter().chain(capability_text).collect();
        Details {
            driver: (!parts.is_empty()).then(|| parts.join(", ")),
            memory_bytes: memory,
            // CubeCL takes its memory in pages of at most a quarter.
            largest_buffer_bytes: memory.map(|bytes| bytes / 4),
            f16: capability >= Some(53),
            bf16: capability >= Some(80),
            plane_operations: capability.is_some(),
        }
    }
}

/// CubeCL hands NVRTC this folder and panics without it; every kernel includes cuda_runtime.h, those for tensor cores mma.h, whose
/// other half comes with nvcc.
fn check_headers() -> Result<(), String> {
    let Some(toolkit) = toolkit() else {
        return Err(
            "the CUDA toolkit was not found (CUDA_PATH, /usr/local/cuda, /opt/cuda, nvcc); \
            install it, or set CUDA_PATH to its folder"
                .into(),
        );
    };
    let headers = ["cuda_runtime.h", "crt/mma.h"].map(|header| toolkit.join("include").join(header));
    let Some(missing) = headers.into_iter().find(|header| !header.is_file()) else {
        return Ok(());
    };
    Err(format!(
        "the CUDA toolkit's headers are missing ({} was not found); install them, or set CUDA_PATH to the toolkit's folder",
        missing.display()
    ))
}

/// Where cubecl-cuda looks for the toolkit.
fn toolkit() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CUDA_PATH") {
        return Some(path.into());
    }
    if cfg!(windows) {
        return Some("C:/Program Files/NVIDIA GPU Computing Toolkit/CUDA/".into());
    }
    [
        ("/usr/local/cuda", "/usr/local/cuda"),
        ("/opt/cuda", "/opt/cuda"),
        ("/usr/bin/nvcc", "/usr"),
    ]
    .into_iter()
    .find(|(sign, _)| std::path::Path::new(sign).exists())
    .map(|(_, folder)| folder.into())
}
