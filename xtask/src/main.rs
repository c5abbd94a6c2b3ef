//! Project tasks, run with `cargo xtask NAME`. Uses no crate of the workspace, so that it builds in seconds.

mod book;
mod browser_test;
mod ci;
mod conformance;
mod cuda_check;
mod data;
mod hardware;
mod release;
mod soak;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Project tasks.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run everything that CI runs: formatting, lints, docs, tests; the cheapest first
    Ci,
    /// Build the book in docs/ with mdBook
    Book,
    /// Open reports in a headless Chromium, and check that they work
    BrowserTest(browser_test::Options),
    /// Compare the results of a backend of this machine with the CPU's
    Conformance(conformance::Options),
    /// Compile the kernels of a CUDA run with NVIDIA's compiler, on a machine without a GPU
    CudaCheck(cuda_check::Options),
    /// Fetch public image sets from the network
    #[command(subcommand)]
    Data(data::Chore),
    /// Measure and check everything on a machine with a GPU, from an archive that needs no toolchain
    #[command(subcommand)]
    Hardware(hardware::Chore),
    /// Build the archive of the program and package the library crates; nothing is uploaded
    Release(release::Options),
    /// Kill a run again and again, and compare it with an uninterrupted one
    Soak(soak::Options),
}

fn main() -> ExitCode {
    let result = match Args::parse().chore {
        Chore::Book => book::run(),
        Chore::BrowserTest(options) => browser_test::run(options),
        Chore::Ci => ci::run(),
        Chore::Conformance(options) => conformance::run(options),
        Chore::CudaCheck(options) => cuda_check::run(options),
        Chore::Data(chore) => data::run(chore),
        Chore::Hardware(chore) => hardware::run(chore),
        Chore::Release(options) => release::run(options),
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
