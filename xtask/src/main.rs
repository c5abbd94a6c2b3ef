//! The project's chores, as `cargo xtask NAME`. Uses no crate of the workspace, so that it builds in seconds.

mod ci;
mod conformance;
mod cuda_check;
mod data;
mod soak;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

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
