//! One run of a study: a cell with a seed, its folder, and how it ended.

use crate::config::Config;
use crate::run_dir::RunDir;
use crate::stop::StopFlag;
use crate::summary::Summary;
use std::path::{Path, PathBuf};

/// A run of a study.
#[derive(Clone, Debug)]
pub struct CellRun {
    /// The number of its cell.
    pub cell: usize,
    /// The name of its cell; empty in a study of one.
    pub name: String,
    /// The seed.
    pub seed: u64,
    /// The config, with the seed.
    pub config: Config,
    /// The run's folder.
    pub root: PathBuf,
    /// Why it cannot be run: its cell's config is invalid.
    pub problem: Option<String>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// It is finished.
    Done,
    /// It was asked to stop and has a checkpoint.
    Interrupted,
    /// It failed, with a one-line error.
    Failed(String),
}

/// Starts runs; a test has another one than the program.
pub trait Launch: Sync {
    /// Starts a run or resumes it, waits for its end, and passes a stop on to it.
    fn run(&self, run: &CellRun, threads: usize, stop: &StopFlag) -> Ending;
}

impl CellRun {
    /// The name in messages: `CELL seed S`.
    pub fn label(&self) -> String {
        let space = if self.name.is_empty() { "" } else { " " };
        format!("{}{space}seed {}", self.name, self.seed)
    }

    /// The file of its config, beside its folder.
    pub fn config_file(&self) -> PathBuf {
        self.root.with_extension("toml")
    }

    /// The file of what it printed, beside its folder.
    pub fn log_file(&self) -> PathBuf {
        self.root.with_extension("log")
    }

    /// Its results, if it is finished.
    pub fn finished(&self) -> Option<Summary> {
        finished(&self.root)
    }
}

/// The summary of a run whose other results exist, too.
fn finished(root: &Path) -> Option<Summary> {
    let run = RunDir::open(root).ok()?;
    let complete = run.report().is_file() && run.backbone().is_file();
    complete.then(|| run.read_summary()).flatten()
}
