//! Runs of the program on the stub CUDA driver: the source of every kernel that it would compile is saved.

use super::recipes::Recipe;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names and sources of the libraries, which are built with `rustc` alone.
const STUBS: [(&str, &str); 2] = [
    ("libcuda", include_str!("stubs/driver.rs")),
    ("libnvrtc", include_str!("stubs/compiler.rs")),
];

/// Modules of the stub driver.
const MODULES: [(&str, &str); 2] = [
    ("launches.rs", include_str!("stubs/launches.rs")),
    ("signature.rs", include_str!("stubs/signature.rs")),
];

/// A folder with the stub CUDA driver and the stub NVRTC.
pub struct StubDriver {
    folder: tempfile::TempDir,
}

impl StubDriver {
    /// Builds the libraries.
    pub fn build() -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        for (name, source) in MODULES {
            let file = folder.path().join(name);
            std::fs::write(&file, source).with_context(|| format!("cannot write {}", file.display()))?;
        }
        for (name, source) in STUBS {
            let (file, built) = (
                folder.path().join(format!("{name}.rs")),
                folder.path().join(format!("{name}.so")),
            );
            std::fs::write(&file, source).with_context(|| format!("cannot write {}", file.display()))?;
            let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
            let options = [
                "-O",
                "--edition",
                "2024",
                "--crate-type",
                "cdylib",
                "--crate-name",
                name,
            ];
            let status = Command::new(rustc)
                .args(options)
                .arg("-o")
                .args([&built, &file])
                .status()
                .context("cannot start rustc")?;
            ensure!(status.success(), "{name} does not build");
        }
        Ok(Self { folder })
    }

    /// The variables with which a program finds the stubs, and writes the kernels that it would compile into `sources`.
    pub fn environment(&self, arch: u32, toolkit: &Path, sources: &Path) -> [(&'static str, PathBuf); 4] {
        [
            ("LD_LIBRARY_PATH", self.folder.path().to_owned()),
            ("CUDA_PATH", toolkit.to_owned()),
            ("STUB_CUDA_ARCH", arch.to_string().into()),
            ("CUDA_CHECK_SOURCES", sources.to_owned()),
        ]
    }

    /// Runs a recipe's first epoch on a stub GPU of this architecture and writes the kernels into `sources`.
    pub fn collect(&self, program: &Path, recipe: &Recipe, arch: u32, toolkit: &Path, sources: &Path) -> Result<()> {
        let work = tempfile::tempdir().context("cannot make a temporary folder")?;
        let path = |name: &str| -> PathBuf { work.path().join(name) };
        let output = Command::new(program)
            .args([
                "--backend",
                "cuda",
                "--epochs",
                "1",
                "--quiet",
                "--data",
                "assets/sign-digits-64",
            ])
            .arg("--out")
            .arg(path("run"))
            .args(recipe.flags)
            .envs(self.environment(arch, toolkit, sources))
            // Tuning results of the stub are meaningless for a GPU: a run on a GPU must not find them.
            .env("XDG_CACHE_HOME", path("cache"))
            .current_dir(crate::workspace::workspace_root())
            .output()
            .with_context(|| format!("cannot start {}", program.display()))?;
        ensure!(
            output.status.success(),
            "the recipe {} fails on the stub CUDA driver for sm_{arch}: {}",
            recipe.name,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }
}
