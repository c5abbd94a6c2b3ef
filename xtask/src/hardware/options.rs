//! What `hardware run` is told.

use clap::ValueEnum;
use std::path::PathBuf;

/// What to measure, where, and for how long.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Backend: cuda, wgpu or cpu
    #[arg(long, default_value = "cuda", value_parser = ["cuda", "wgpu", "cpu"])]
    pub backend: String,
    /// Minutes after which everything has ended
    #[arg(long, default_value_t = 8.0, value_parser = minutes)]
    pub minutes: f64,
    /// Folder of the results, new or empty
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Sizes of the networks and data sets [default: full on cuda, else small]
    #[arg(long)]
    pub sizes: Option<Sizes>,
    /// The program [default: the one beside this tool, else built from this repository]
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// A Python that has PyTorch
    #[arg(long, value_name = "FILE", default_value = "python3")]
    pub python: String,
    /// Only items whose name contains TEXT
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub only: String,
}

/// Sizes of the networks and data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sizes {
    /// Those of the paper and of the benchmarks, for a GPU.
    Full,
    /// Small ones, to try everything on a processor.
    Small,
}

impl Options {
    /// The sizes that are taken.
    pub fn sizes(&self) -> Sizes {
        let by_backend = if self.backend == "cuda" {
            Sizes::Full
        } else {
            Sizes::Small
        };
        self.sizes.unwrap_or(by_backend)
    }
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes = text
        .parse()
        .ok()
        .filter(|minutes: &f64| *minutes > 0.0 && *minutes <= 600.0);
    minutes.ok_or_else(|| "a number of minutes above 0, at most 600".to_owned())
}
