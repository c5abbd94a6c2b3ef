//! A stub NVRTC, which compiles nothing and saves its input: every program with its options becomes a file in the folder
//! `CUDA_CHECK_SOURCES`, named by a hash of its content, so that a kernel of several runs is saved once. The caller continues as
//! after a successful compilation; the real compiler gets the files later, in parallel and with a report.
//!
//! Built with `rustc` alone, as `libnvrtc.so`. Signatures are those of nvrtc.h.

use std::ffi::{CStr, CString, c_char, c_int};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

const SUCCESS: c_int = 0;
const INVALID_INPUT: c_int = 3;

/// A program: its source, and once it is saved the name of its file, which the driver gets instead of a compiled kernel.
pub struct Program {
    source: String,
    image: CString,
}

unsafe fn text(pointer: *const c_char) -> String {
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// Saves a program with its options as a comment on the first line.
fn keep(source: &str, options: &[String]) -> std::io::Result<CString> {
    let folder = PathBuf::from(std::env::var_os("CUDA_CHECK_SOURCES").ok_or(std::io::ErrorKind::NotFound)?);
    let whole = format!("// {}\n{source}", options.join(" "));
    let mut hasher = DefaultHasher::new();
    whole.hash(&mut hasher);
    let name = format!("{:016x}", hasher.finish());
    let path = folder.join(format!("{name}.cu"));
    let name = CString::new(name)?;
    if path.exists() {
        return Ok(name);
    }
    let partial = path.with_extension("partial");
    std::fs::write(&partial, whole)?;
    std::fs::rename(partial, path)?;
    Ok(name)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcVersion(major: *mut c_int, minor: *mut c_int) -> c_int {
    unsafe {
        major.write(13);
        minor.write(0);
    }
    SUCCESS
}

/// The handle is a pointer to a [`Program`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcCreateProgram(
    program: *mut *mut Program,
    source: *const c_char,
    _name: *const c_char,
    _count: c_int,
    _headers: *const *const c_char,
    _names: *const *const c_char,
) -> c_int {
    let made = Program {
        source: unsafe { text(source) },
        image: CString::default(),
    };
    unsafe { program.write(Box::into_raw(Box::new(made))) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcDestroyProgram(program: *mut *mut Program) -> c_int {
    unsafe { drop(Box::from_raw(program.read())) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcCompileProgram(
    program: *mut Program,
    count: c_int,
    options: *const *const c_char,
) -> c_int {
    let options: Vec<String> = (0..count as usize)
        .map(|index| unsafe { text(*options.add(index)) })
        .collect();
    let program = unsafe { &mut *program };
    match keep(&program.source, &options) {
        Ok(image) => {
            program.image = image;
            SUCCESS
        }
        Err(_) => INVALID_INPUT,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetPTXSize(program: *mut Program, place: *mut usize) -> c_int {
    unsafe { place.write((*program).image.as_bytes_with_nul().len()) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetPTX(program: *mut Program, place: *mut c_char) -> c_int {
    let image = unsafe { (*program).image.as_bytes_with_nul() };
    unsafe { std::ptr::copy_nonoverlapping(image.as_ptr().cast(), place, image.len()) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetProgramLogSize(_program: *mut Program, place: *mut usize) -> c_int {
    unsafe { place.write(1) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetProgramLog(_program: *mut Program, place: *mut c_char) -> c_int {
    unsafe { place.write(0) };
    SUCCESS
}
