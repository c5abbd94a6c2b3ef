//! The `inspect` command: what lies in a file of weights, of any trainer.

use crate::console::print_result;
use barlow_engine::error::RunError;
use barlow_weights::{InspectOptions, WeightsFile, inspect_json, inspect_text};
use std::path::Path;

/// Prints names, shapes, types and sizes, and which trainer's layout it is. No tensor is read, and nothing in the file is run.
///
/// # Errors
/// [`RunError::Usage`] if it is no file of weights that can be read.
pub fn run(file: &Path, json: bool) -> Result<(), RunError> {
    let file = WeightsFile::open(file).map_err(RunError::usage)?;
    if json {
        print_result(&inspect_json(&file).to_string());
    } else {
        print_result(inspect_text(&file, InspectOptions::default()).trim_end());
    }
    Ok(())
}
