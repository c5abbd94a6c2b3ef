//! The `export` command: a run's network in the files that other programs read.

use crate::console::{Terminal, print_result};
use barlow_engine::checkpoint::Checkpoint;
use barlow_engine::config::Config;
use barlow_engine::console::Console;
use barlow_engine::error::RunError;
use barlow_engine::weights::{ExportFile, ExportPart, export_network};
use std::path::PathBuf;

/// What to export.
pub struct ExportRequest {
    /// Name of the run.
    pub name: String,
    /// Its checkpoint.
    pub checkpoint: Checkpoint,
    /// Its config.
    pub config: Config,
    /// Its results, if it is finished.
    pub summary: Option<barlow_engine::summary::Summary>,
    /// The format.
    pub format: ExportFile,
    /// The part of the network.
    pub part: ExportPart,
    /// File or folder.
    pub out: PathBuf,
}

/// Writes the files and prints them.
///
/// # Errors
/// [`RunError`], each one line.
pub fn run(request: &ExportRequest, console: &Terminal) -> Result<(), RunError> {
    let ExportRequest {
        name,
        checkpoint,
        config,
        summary,
        format,
        part,
        out,
    } = request;
    let written = export_network(name, checkpoint, config, summary.as_ref(), *format, *part, out)?;
    written
        .notes
        .iter()
        .for_each(|note| console.line(&format!("note        {note}")));
    for file in written.files {
        print_result(&file.display().to_string());
    }
    Ok(())
}
