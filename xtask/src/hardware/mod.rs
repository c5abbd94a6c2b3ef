//! `cargo xtask hardware`: everything that is to be learnt on a machine with a GPU, prepared here, so that ten minutes there are
//! enough.
//!
//! `pack` makes one archive: the program, this tool, images, and PyTorch scripts that do the same work. Its `run.sh` starts `run`,
//! which goes through the items of `plan.rs` by priority, each in its own processes and with its own time limit, and records every
//! result as soon as it is there. `summary` renders the records; `run` does so after each item.

mod item;
mod options;
mod pack;
mod peers;
mod plan;
mod process;
mod record;
mod run;
mod summary;
mod toolkit;
mod training_images;
mod trial;

use anyhow::Result;
use clap::Subcommand;
use std::path::PathBuf;

/// The commands.
#[derive(Subcommand)]
pub enum Chore {
    /// Build the archive that is unpacked and run on the machine with the GPU
    Pack(pack::Options),
    /// Measure and check everything by priority within a time limit, and write a summary
    Run(options::Options),
    /// Write the summary of a finished run again
    Summary {
        /// The folder of the results
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// Runs a command.
pub fn run(chore: Chore) -> Result<()> {
    match chore {
        Chore::Pack(options) => pack::run(&options),
        Chore::Run(options) => run::run(&options),
        Chore::Summary { out } => summary::write(&out),
    }
}
