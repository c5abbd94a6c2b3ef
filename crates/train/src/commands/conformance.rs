//! The `conformance` command: compares everything that a backend computes on this machine with the CPU.

use crate::console::{Terminal, print_result};
use barlow_engine::conformance::{By, Comparison, Reference, cases, compare};
use barlow_engine::console::Console;
use barlow_engine::error::RunError;
use barlow_train::device::{BackendChoice, Selected, select};
use serde::Serialize;

/// A line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    backend: &'a str,
    #[serde(flatten)]
    comparison: &'a Comparison,
    holds: bool,
}

/// Prints one line per comparison, as JSON if requested.
///
/// # Errors
/// [`RunError::Failed`] if a comparison fails.
pub fn run(selected: &Selected, json: bool, console: &Terminal) -> Result<(), RunError> {
    let cpu = select(BackendChoice::Cpu, None).map_err(RunError::usage)?;
    console.line(&format!("backend     {selected}"));
    if selected.backend != "cpu" {
        console.line(
            "each kernel is compiled, and tuned if there are several candidates, at its first use; this takes minutes",
        );
    }
    let (mut comparisons, mut failed) = (0, 0);
    for case in cases() {
        let reference = match case.reference() {
            Reference::Cpu => &cpu,
            Reference::SameDevice => selected,
        };
        let got = selected.run(|device| device.conformance(&case, By::Backend));
        let correct = reference.run(|device| device.conformance(&case, By::Definition));
        for comparison in compare(&case, got, correct) {
            comparisons += 1;
            failed += usize::from(!comparison.holds());
            print_result(&line(selected.backend, &comparison, json));
        }
    }
    if failed > 0 {
        return Err(RunError::Failed(anyhow::anyhow!(
            "{failed} of {comparisons} comparisons fail on {} ({})",
            selected.backend,
            selected.name
        )));
    }
    if !json {
        print_result(&format!("all {comparisons} comparisons hold"));
    }
    Ok(())
}

fn line(backend: &str, comparison: &Comparison, json: bool) -> String {
    let holds = comparison.holds();
    if json {
        let line = Line {
            backend,
            comparison,
            holds,
        };
        return serde_json::to_string(&line).expect("names and numbers");
    }
    let Comparison {
        name,
        difference,
        bound,
    } = comparison;
    let word = if holds { "ok" } else { "FAILS" };
    format!("{word:5}  {difference:8.1e} of at most {bound:7.1e}  {name}")
}
