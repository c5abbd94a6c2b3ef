//! NVIDIA's run-time compiler (NVRTC): the source of a kernel to machine code for one architecture, with the assembler's log.

use anyhow::{Context, Result, ensure};
use libloading::Library;
use std::ffi::{CString, c_char, c_int, c_void};
use std::path::Path;

type Program = *mut c_void;
type Create = unsafe extern "C" fn(
    *mut Program,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
    *const *const c_char,
) -> c_int;
type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int;
type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type Content = unsafe extern "C" fn(Program, *mut c_char) -> c_int;
type Destroy = unsafe extern "C" fn(*mut Program) -> c_int;

/// The loaded library.
pub struct Nvrtc {
    create: Create,
    compile: Compile,
    log_size: Size,
    log: Content,
    destroy: Destroy,
    _library: Library,
}

/// The result of a compilation.
pub struct Compiled {
    /// Whether it succeeded.
    pub is_good: bool,
    /// The log of compiler and assembler.
    pub log: String,
}

impl Nvrtc {
    /// Loads the library of a toolkit.
    pub fn open(toolkit: &Path) -> Result<Self> {
        let path = toolkit.join("lib").join("libnvrtc.so.13");
        // SAFETY: NVIDIA's own library, whose start-up code any CUDA program runs; signatures are those of nvrtc.h, and the
        // functions live as long as the library, which is stored together with them.
        unsafe {
            let library = Library::new(&path).with_context(|| format!("cannot load {}", path.display()))?;
            Ok(Self {
                create: *library.get::<Create>(b"nvrtcCreateProgram\0")?,
                compile: *library.get::<Compile>(b"nvrtcCompileProgram\0")?,
                log_size: *library.get::<Size>(b"nvrtcGetProgramLogSize\0")?,
                log: *library.get::<Content>(b"nvrtcGetProgramLog\0")?,
                destroy: *library.get::<Destroy>(b"nvrtcDestroyProgram\0")?,
                _library: library,
            })
        }
    }

    /// Compiles a program with these options, down to the architecture's machine code.
    pub fn compile(&self, source: &str, options: &[&str]) -> Result<Compiled> {
        let source = CString::new(source).context("the source contains a NUL byte")?;
        let options: Vec<CString> = options
            .iter()
            .map(|&option| CString::new(option))
            .collect::<Result<_, _>>()?;
        let pointers: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
        let none = std::ptr::null();
        let mut program = std::ptr::null_mut();
        // SAFETY: all strings are NUL-terminated and outlive the program, which is destroyed here; the log's buffer has the size
        // that the library returned.
        unsafe {
            let made = (self.create)(&mut program, source.as_ptr(), none, 0, none.cast(), none.cast());
            ensure!(made == 0, "the compiler cannot create a program (error {made})");
            let code = (self.compile)(program, pointers.len() as c_int, pointers.as_ptr());
            let mut size = 0;
            (self.log_size)(program, &mut size);
            let mut log = vec![0u8; size.max(1)];
            (self.log)(program, log.as_mut_ptr().cast());
            (self.destroy)(&mut program);
            let text = String::from_utf8_lossy(&log);
            Ok(Compiled {
                is_good: code == 0,
                log: text.trim_end_matches('\0').to_owned(),
            })
        }
    }
}
