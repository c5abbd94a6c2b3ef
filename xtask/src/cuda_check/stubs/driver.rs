//! A stub CUDA driver for machines without a GPU: it reports one GPU, allocates zeroed host memory as device memory, copies, and
//! launches nothing. The results of a program on it are meaningless; the kernels that it would launch are the same as on a GPU.
//!
//! If `CUDA_CHECK_LAUNCHES` names a file, each launch and copy is appended to it (`launches.rs`).
//!
//! Built with `rustc` alone, as `libcuda.so`. Signatures and numbers are those of cuda.h.

mod launches;
mod signature;

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::Mutex;

const SUCCESS: c_int = 0;
const OUT_OF_MEMORY: c_int = 2;

/// Sizes of allocations by address: a call that frees memory passes the address alone.
static MEMORY: Mutex<Option<HashMap<usize, usize>>> = Mutex::new(None);

unsafe extern "C" {
    fn mmap(
        address: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        file: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn munmap(address: *mut c_void, length: usize) -> c_int;
}

/// The compute capability of the stub GPU, such as 90; from the environment variable `STUB_CUDA_ARCH`.
fn architecture() -> c_int {
    let given = std::env::var("STUB_CUDA_ARCH").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(80)
}

/// An arbitrary non-null handle, which is never dereferenced.
const HANDLE: usize = 0x10;

unsafe fn give<T>(place: *mut T, value: T) -> c_int {
    unsafe { place.write(value) };
    SUCCESS
}

/// Allocates pages that become resident when they are written to.
fn allocate(bytes: usize) -> Option<usize> {
    // Read and write; private, anonymous, no reserve.
    let address = unsafe { mmap(std::ptr::null_mut(), bytes.max(1), 3, 0x2 | 0x20 | 0x4000, -1, 0) } as usize;
    if address == usize::MAX {
        return None;
    }
    let mut memory = MEMORY.lock().unwrap();
    memory.get_or_insert_default().insert(address, bytes.max(1));
    Some(address)
}

fn free(address: usize) -> c_int {
    let known = MEMORY.lock().unwrap().get_or_insert_default().remove(&address);
    if let Some(bytes) = known {
        unsafe { munmap(address as *mut c_void, bytes) };
    }
    SUCCESS
}

unsafe fn copy(to: usize, from: usize, bytes: usize) -> c_int {
    unsafe { std::ptr::copy(from as *const u8, to as *mut u8, bytes) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cuInit(_flags: c_uint) -> c_int {
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDriverGetVersion(version: *mut c_int) -> c_int {
    unsafe { give(version, 13_000) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetCount(count: *mut c_int) -> c_int {
    unsafe { give(count, 1) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGet(device: *mut c_int, _ordinal: c_int) -> c_int {
    unsafe { give(device, 0) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetName(name: *mut c_char, length: c_int, _device: c_int) -> c_int {
    let text = format!("stub sm_{}\0", architecture());
    unsafe { copy(name as usize, text.as_ptr() as usize, text.len().min(length as usize)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, _device: c_int) -> c_int {
    unsafe { give(bytes, 80 << 30) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_uint, _device: c_int) -> c_int {
    let arch = architecture();
    let number = match attribute {
        // Threads per block, dimensions of a block, dimensions of the grid.
        1..=3 => 1024,
        4 => 64,
        5 => c_int::MAX,
        6 | 7 => 65_535,
        // Warp size, number of multiprocessors.
        10 => 32,
        16 => 108,
        75 => arch / 10,
        76 => arch % 10,
        // Shared memory that a block can opt in to.
        97 => match arch {
            ..80 => 65_536,
            80..90 => 166_912,
            _ => 232_448,
        },
        _ => 0,
    };
    unsafe { give(value, number) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut usize, _device: c_int) -> c_int {
    unsafe { give(context, HANDLE) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxRelease_v2(_device: c_int) -> c_int {
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetCurrent(_context: usize) -> c_int {
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetCurrent(context: *mut usize) -> c_int {
    unsafe { give(context, HANDLE) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuStreamCreate(stream: *mut usize, _flags: c_uint) -> c_int {
    unsafe { give(stream, HANDLE) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamSynchronize(_stream: usize) -> c_int {
    launches::wait();
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamWaitEvent(_stream: usize, _event: usize, _flags: c_uint) -> c_int {
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuEventCreate(event: *mut usize, _flags: c_uint) -> c_int {
    unsafe { give(event, HANDLE) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventRecord(_event: usize, _stream: usize) -> c_int {
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventSynchronize(_event: usize) -> c_int {
    launches::wait();
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventDestroy_v2(_event: usize) -> c_int {
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocAsync(address: *mut usize, bytes: usize, _stream: usize) -> c_int {
    match allocate(bytes) {
        Some(allocated) => unsafe { give(address, allocated) },
        None => OUT_OF_MEMORY,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAlloc_v2(address: *mut usize, bytes: usize) -> c_int {
    unsafe { cuMemAllocAsync(address, bytes, 0) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocHost_v2(address: *mut usize, bytes: usize) -> c_int {
    unsafe { cuMemAllocAsync(address, bytes, 0) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeAsync(address: usize, _stream: usize) -> c_int {
    free(address)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFree_v2(address: usize) -> c_int {
    free(address)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeHost(address: usize) -> c_int {
    free(address)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpyHtoDAsync_v2(to: usize, from: usize, bytes: usize, _stream: usize) -> c_int {
    launches::copied("to-device", bytes);
    unsafe { copy(to, from, bytes) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpyDtoHAsync_v2(to: usize, from: usize, bytes: usize, _stream: usize) -> c_int {
    launches::copied("to-host", bytes);
    unsafe { copy(to, from, bytes) }
}

/// `CUDA_MEMCPY2D`, one side of it.
#[repr(C)]
pub struct Side {
    x: usize,
    y: usize,
    memory_type: c_uint,
    host: usize,
    device: usize,
    array: usize,
    pitch: usize,
}

/// `CUDA_MEMCPY2D`.
#[repr(C)]
pub struct Copy2d {
    from: Side,
    to: Side,
    width: usize,
    height: usize,
}

impl Side {
    fn row(&self, row: usize) -> usize {
        // 1 is the host's memory.
        let start = if self.memory_type == 1 { self.host } else { self.device };
        start + (self.y + row) * self.pitch + self.x
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpy2DAsync_v2(what: *const Copy2d, _stream: usize) -> c_int {
    let what = unsafe { &*what };
    let direction = if what.to.memory_type == 1 {
        "to-host"
    } else {
        "to-device"
    };
    launches::copied(direction, what.width * what.height);
    for row in 0..what.height {
        unsafe { copy(what.to.row(row), what.from.row(row), what.width) };
    }
    SUCCESS
}

/// The image is the name of the kernel's source, from the stub NVRTC; its number is the handle of the module and of its function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleLoadData(module: *mut usize, image: *const c_void) -> c_int {
    let name = unsafe { CStr::from_ptr(image.cast()) }.to_string_lossy();
    let number = u64::from_str_radix(&name, 16).unwrap_or_default() as usize;
    unsafe { give(module, number) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleGetFunction(function: *mut usize, module: usize, _name: *const c_char) -> c_int {
    unsafe { give(function, module) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetAttribute(_function: usize, _attribute: c_int, _value: c_int) -> c_int {
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuLaunchKernel(
    function: usize,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    _block_x: c_uint,
    _block_y: c_uint,
    _block_z: c_uint,
    _shared: c_uint,
    _stream: usize,
    arguments: *const *const c_void,
    _extra: usize,
) -> c_int {
    // SAFETY: the caller passes one pointer per argument of the kernel.
    unsafe { launches::launched(function as u64, [grid_x, grid_y, grid_z], arguments) };
    SUCCESS
}

// Tensor maps for the copy engine of sm_90: opaque bytes that only a kernel reads. The arguments are not changed.
#[unsafe(no_mangle)]
pub extern "C" fn cuTensorMapEncodeTiled() -> c_int {
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cuTensorMapEncodeIm2col() -> c_int {
    SUCCESS
}
