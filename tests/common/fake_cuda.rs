//! A stub NVIDIA installation, whatever the machine has: stub libraries built on the spot, first on the loader's path, hide the
//! real ones.

use super::Program;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names that the program's CUDA binding tries in turn.
const SUFFIXES: [&str; 7] = [".so", ".so.1", ".so.13", ".so.12", ".so.11", ".so.10", ".so.9"];

/// What the stub driver returns.
#[derive(Clone, Copy)]
pub struct Driver {
    /// Result of its initialisation: 0 is success, 100 is "no device".
    pub init: i32,
    /// Number of devices.
    pub devices: i32,
}

/// A folder of stub libraries.
pub struct FakeCuda {
    folder: tempfile::TempDir,
}

impl FakeCuda {
    /// Nothing is there: neither driver nor compiler library, nor toolkit.
    pub fn nothing() -> Self {
        let fake = Self {
            folder: super::folder(),
        };
        for library in ["libcuda", "libnvrtc"] {
            for suffix in SUFFIXES {
                std::fs::write(fake.path().join(format!("{library}{suffix}")), "not a library").unwrap();
            }
        }
        std::fs::create_dir(fake.toolkit()).unwrap();
        fake
    }

    /// With a driver.
    pub fn driver(self, driver: Driver) -> Self {
        let Driver { init, devices } = driver;
        self.with_library(
            "libcuda",
            &format!(
                r#"
                #[unsafe(no_mangle)] pub extern "C" fn cuInit(_flags: u32) -> i32 {{ {init} }}
                #[unsafe(no_mangle)] pub unsafe extern "C" fn cuDeviceGetCount(count: *mut i32) -> i32 {{
                    unsafe {{ *count = {devices} }};
                    0
                }}
                #[unsafe(no_mangle)] pub unsafe extern "C" fn cuDeviceGetName(name: *mut u8, _len: i32, _device: i32) -> i32 {{
                    unsafe {{ core::ptr::copy_nonoverlapping(b"Stub GPU\0".as_ptr(), name, 9) }};
                    0
                }}
                "#
            ),
        )
    }

    /// With the run-time compiler.
    pub fn nvrtc(self) -> Self {
        self.with_library("libnvrtc", "")
    }

    /// With the toolkit's headers, but for those that come with nvcc.
    pub fn half_the_headers(self) -> Self {
        let whole = self.headers();
        std::fs::remove_file(whole.toolkit().join("include/crt/mma.h")).unwrap();
        whole
    }

    /// With the toolkit's headers.
    pub fn headers(self) -> Self {
        let include = self.toolkit().join("include");
        std::fs::create_dir_all(include.join("crt")).unwrap();
        for header in ["cuda_runtime.h", "crt/mma.h"] {
            std::fs::write(include.join(header), "").unwrap();
        }
        self
    }

    /// A program that sees this installation.
    pub fn program(&self) -> Program {
        Program::new()
            .env("LD_LIBRARY_PATH", self.path())
            .env("CUDA_PATH", self.toolkit())
    }

    /// The stub toolkit.
    pub fn toolkit(&self) -> PathBuf {
        self.path().join("toolkit")
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn with_library(self, name: &str, source: &str) -> Self {
        let (file, built) = (self.path().join("source.rs"), self.path().join(format!("{name}.so")));
        std::fs::write(&file, source).unwrap();
        // A Rust toolchain is there wherever these tests were built.
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(rustc)
            .args([
                "--crate-type",
                "cdylib",
                "--crate-name",
                name,
                "--edition",
                "2024",
                "-o",
            ])
            .args([&built, &file])
            .output()
            .expect("rustc runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self
    }
}
