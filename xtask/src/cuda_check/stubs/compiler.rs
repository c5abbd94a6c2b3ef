//! A stub NVRTC, which compiles nothing and saves its input: every program with its options becomes a file in the folder
//! `CUDA_CHECK_SOURCES`, named by a hash of its content, so that a kernel of several runs is saved once. The caller continues as
//! after a successful compilation; the real compiler gets the files later, in parallel and with a report.
//!
//! Built with `rustc` alone, as `libnvrtc.so`. Signatures are those of nvrtc.h.

use std::ffi::{CStr, c_char, c_int};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

const SUCCESS: c_int = 0;
const INVALID_INPUT: c_int = 3;

/// The image that the driver gets instead of a compiled kernel.
const NOTHING: &[u8] = b"\0";

unsafe fn text(pointer: *const c_char) -> String {
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// Saves a program with its options as a comment on the first line.
fn keep(source: &str, options: &[String]) -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::var_os("CUDA_CHECK_SOURCES").ok_or(std::io::ErrorKind::NotFound)?);
    let whole = format!("// {}\n{source}", options.join(" "));
    let mut hasher = DefaultHasher::new();
    whole.hash(&mut hasher);
    let path = folder.join(format!("{:016x}.cu", hasher.finish()));
    if path.exists() {
        return Ok(());
    }
    let partial = path.with_extension("partial");
    std::fs::write(&partial, whole)?;
    std::fs::rename(partial, path)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcVersion(major: *mut c_int, minor: *mut c_int) -> c_int {
    unsafe {
        major.write(13);
        minor.write(0);
    }
    SUCCESS
}

/// The handle is the source itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcCreateProgram(
    program: *mut *mut String,
    source: *const c_char,
    _name: *const c_char,
    _count: c_int,
    _headers: *const *const c_char,
    _names: *const *const c_char,
) -> c_int {
    unsafe { program.write(Box::into_raw(Box::new(text(source)))) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcDestroyProgram(program: *mut *mut String) -> c_int {
    unsafe { drop(Box::from_raw(program.read())) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcCompileProgram(
    program: *mut String,
    count: c_int,
    options: *const *const c_char,
) -> c_int {
    let options: Vec<String> = (0..count as usize)
        .map(|index| unsafe { text(*options.add(index)) })
        .collect();
    match keep(unsafe { &*program }, &options) {
        Ok(()) => SUCCESS,
        Err(_) => INVALID_INPUT,
    }
}

unsafe fn size(size: *mut usize) -> c_int {
    unsafe { size.write(NOTHING.len()) };
    SUCCESS
}

unsafe fn content(place: *mut c_char) -> c_int {
    unsafe { place.write(0) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetPTXSize(_program: *mut String, place: *mut usize) -> c_int {
    unsafe { size(place) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetPTX(_program: *mut String, place: *mut c_char) -> c_int {
    unsafe { content(place) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetProgramLogSize(_program: *mut String, place: *mut usize) -> c_int {
    unsafe { size(place) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetProgramLog(_program: *mut String, place: *mut c_char) -> c_int {
    unsafe { content(place) }
}
