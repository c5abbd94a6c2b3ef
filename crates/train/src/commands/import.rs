//! The `import` command: another program's file of weights as a run.

use crate::console::{Terminal, print_result};
use barlow_engine::config::Config;
use barlow_engine::console::Console;
use barlow_engine::error::RunError;
use barlow_engine::units::grouped;
use barlow_engine::weights::{ImportedFile, import_run};
use std::path::Path;

/// Writes the run and prints what was imported.
///
/// # Errors
/// [`RunError`], each one line.
pub fn run(imported: &ImportedFile, config: &Config, out: &Path, console: &Terminal) -> Result<(), RunError> {
    imported.lines().iter().for_each(|line| console.line(line));
    let run = import_run(imported, config, out)?;
    print_result(&format!(
        "{} tensors, {} values in {}",
        run.tensors,
        grouped(run.values),
        out.display()
    ));
    Ok(())
}
