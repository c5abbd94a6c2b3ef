//! `report`: the report of one or several runs, written again from their folders.

use barlow_train::config::{Layers, load};
use barlow_train::console::print_result;
use barlow_train::error::AppError;
use barlow_train::pretrain::write_report;
use barlow_train::run_dir::RunDir;
use std::path::{Path, PathBuf};

/// Writes `out`, or `report.html` of the only run.
///
/// # Errors
/// When a path is no run, a run is not finished, or `out` is missing with several runs.
pub fn run(folders: &[PathBuf], out: Option<&Path>) -> Result<(), AppError> {
    let mut runs = Vec::new();
    for folder in folders {
        let run = RunDir::open(folder).map_err(AppError::usage)?;
        let (_, config) = load(&Layers::of_file(&run.config())).map_err(AppError::usage)?;
        runs.push((run, config));
    }
    let out = match (out, runs.as_slice()) {
        (Some(out), _) => out.to_owned(),
        (None, [(run, _)]) => run.report(),
        (None, _) => {
            return Err(AppError::usage(
                "a report of several runs needs a file: pass --out FILE.html",
            ));
        }
    };
    write_report(&runs, &out)?;
    print_result(&format!("the report is in {}", out.display()));
    Ok(())
}
