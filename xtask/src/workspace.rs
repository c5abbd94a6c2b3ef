//! Paths of the workspace and its builds.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the program and returns its path.
pub fn program() -> Result<PathBuf> {
    let target = target_folder()?;
    let built = Command::new("cargo")
        .args(["build", "--release", "--locked", "-p", "train"])
        .env("CARGO_TARGET_DIR", &target)
        .current_dir(workspace_root())
        .status()
        .context("cannot start cargo")?;
    ensure!(built.success(), "the program does not build");
    Ok(target
        .join("release")
        .join(format!("train{}", std::env::consts::EXE_SUFFIX)))
}

/// The folder of the root manifest.
pub fn workspace_root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("xtask lies in the workspace")
}

/// The target folder, whatever folder cargo is started in.
pub fn target_folder() -> Result<PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => std::path::absolute(folder).context("CARGO_TARGET_DIR is not a folder"),
        None => Ok(workspace_root().join("target")),
    }
}
