//! The `study` command, and `pretrain --seeds`: prints what several runs would take, or runs them and prints their table.

use crate::console::print_result;
use barlow_engine::error::RunError;
use barlow_engine::study::{STUDIES, StudyRequest};

/// Prints the studies.
pub fn list() {
    for study in STUDIES {
        print_result(&format!("{:10} {}", study.name, study.about));
    }
}

/// Runs what is not finished and prints the results.
///
/// # Errors
/// [`RunError`], each one line; runs that failed are one after the table was printed.
pub fn run(request: StudyRequest) -> Result<(), RunError> {
    let dry_run = request.dry_run;
    let prepared = request.prepare()?;
    if dry_run {
        print_result(&prepared.forecast()?.join("\n"));
        return Ok(());
    }
    let outcome = prepared.run()?;
    print_result(&outcome.text());
    outcome.check()
}
