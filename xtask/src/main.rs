//! The project's chores, as `cargo xtask NAME`. Uses no crate of the workspace, so that it builds in seconds.

mod ci;
mod conformance;
mod cuda_check;
mod data;
mod soak;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The project's chores.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Everything that CI runs: formatting, lints, docs, tests; the cheapest first
    Ci,
    /// Compare what a backend of this machine computes with the CPU
    Conformance(conformance::Options),
    /// Compile the kernels of a CUDA run with NVIDIA's compiler, on a machine without a GPU
    CudaCheck(cuda_check::Options),
    /// Public image sets from the network
    #[command(subcommand)]
    Data(data::Chore),
    /// Kill a run again and again, and compare it with one that was left alone
    Soak(soak::Options),
}

fn main() -> ExitCode {
    let result = match Args::parse().chore {
        Chore::Ci => ci::run(),
        Chore::Conformance(options) => conformance::run(options),
        Chore::CudaCheck(options) => cuda_check::run(options),
        Chore::Data(chore) => data::run(chore),
        Chore::Soak(options) => soak::run(options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The program, built.
fn program() -> Result<PathBuf> {
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

fn workspace_root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("xtask lies in the workspace")
}

/// Where cargo builds, whatever folder it is started in.
fn target_folder() -> Result<PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => std::path::absolute(folder).context("CARGO_TARGET_DIR is no folder"),
        None => Ok(workspace_root().join("target")),
    }
}
