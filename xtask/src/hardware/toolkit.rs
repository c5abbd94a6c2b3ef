//! Where the CUDA toolkit lies: CUDA's own folders, else the wheels that come with PyTorch. CubeCL needs its compiler's library
//! and its headers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment in which the program finds the toolkit; empty where it needs none, or none was found.
pub fn environment(python: &str) -> Vec<(&'static str, String)> {
    if std::env::var_os("CUDA_PATH").is_some() {
        return Vec::new();
    }
    let Some(toolkit) = candidates(python).into_iter().find(|folder| is_whole(folder)) else {
        return Vec::new();
    };
    let libraries = ["lib64", "lib"].map(|name| toolkit.join(name));
    let mut paths: Vec<String> = libraries
        .iter()
        .filter(|folder| folder.is_dir())
        .map(|folder| folder.display().to_string())
        .collect();
    paths.extend(std::env::var("LD_LIBRARY_PATH").ok().filter(|text| !text.is_empty()));
    vec![
        ("CUDA_PATH", toolkit.display().to_string()),
        ("LD_LIBRARY_PATH", paths.join(":")),
    ]
}

/// CUDA's usual folders, the newest version first, then those of Python's wheels.
fn candidates(python: &str) -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/usr/local/cuda"), PathBuf::from("/opt/cuda")];
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/local")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("cuda-"))
        })
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    let script = "import nvidia\nfor folder in nvidia.__path__: print(folder)";
    if let Ok(output) = Command::new(python).args(["-c", script]).output() {
        for base in String::from_utf8_lossy(&output.stdout).lines() {
            folders.extend(["cu13", "cu12"].map(|name| Path::new(base).join(name)));
        }
    }
    folders
}

/// What the program's own check wants of it.
fn is_whole(folder: &Path) -> bool {
    ["include/cuda_runtime.h", "include/crt/mma.h"]
        .iter()
        .all(|header| folder.join(header).is_file())
}
