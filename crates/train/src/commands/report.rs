//! `report`: regenerates the report of one or several finished runs from their folders.

use crate::console::print_result;
use barlow_engine::config::{Layers, load};
use barlow_engine::error::RunError;
use barlow_engine::run::write_report;
use barlow_engine::run_dir::RunDir;
use std::path::{Path, PathBuf};

/// Writes `out`, or `report.html` of the only run.
///
/// # Errors
/// When a path is no run, a run is not finished, or `out` is missing with several runs.
pub fn run(folders: &[PathBuf], out: Option<&Path>) -> Result<(), RunError> {
    let mut runs = Vec::new();
    for folder in folders {
        let run = RunDir::open(folder).map_err(RunError::usage)?;
        let (_, config) = load(&Layers::of_file(&run.config())).map_err(RunError::usage)?;
        runs.push((run, config));
    }
    let out = match (out, runs.as_slice()) {
        (Some(out), _) => out.to_owned(),
        (None, [(run, _)]) => run.report(),
        (None, _) => {
            return Err(RunError::usage(
                "a report of several runs needs a file: pass --out FILE.html",
            ));
        }
    };
    write_report(&runs, &out)?;
    print_result(&format!("the report is in {}", out.display()));
    Ok(())
}
