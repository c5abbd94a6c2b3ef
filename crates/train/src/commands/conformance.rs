//! The `conformance` command: compares everything that a backend computes on this machine with the CPU.

use crate::console::{Terminal, print_result};
use barlow_engine::conformance::{By, Case, Comparison, Reference, Values, cases, compare, large_cases};
use barlow_engine::console::Console;
use barlow_engine::error::RunError;
use barlow_train::device::{BackendChoice, Selected, select};
use serde::Serialize;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A line of `--json`.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Compared {
        backend: &'a str,
        #[serde(flatten)]
        comparison: &'a Comparison,
        holds: bool,
    },
    /// The device failed before there was anything to compare.
    Failed {
        backend: &'a str,
        name: &'a str,
        error: &'a str,
        holds: bool,
    },
}

/// Prints one line per comparison whose name contains `filter`, as JSON if requested, with `large` at the shapes of real networks
/// too. A case in which the device fails is a line
/// too, and the next one follows.
///
/// # Errors
/// [`RunError::Failed`] if a comparison fails, [`RunError::Usage`] if there is none of that name.
pub fn run(selected: &Selected, filter: &str, large: bool, json: bool, console: &Terminal) -> Result<(), RunError> {
    let cpu = select(BackendChoice::Cpu, None).map_err(RunError::usage)?;
    console.line(&format!("backend     {selected}"));
    if selected.backend != "cpu" {
        console.line(
            "each kernel is compiled, and tuned if there are several candidates, at its first use; this takes minutes",
        );
    }
    let (mut comparisons, mut failed) = (0, 0);
    let more = if large { large_cases() } else { Vec::new() };
    for case in cases().into_iter().chain(more) {
        let reference = match case.reference() {
            Reference::Cpu => &cpu,
            Reference::SameDevice => selected,
        };
        let correct = values(reference, &case, By::Definition);
        let names: Vec<String> = match &correct {
            Ok(values) => values.iter().map(|measured| measured.name.clone()).collect(),
            Err(_) => vec![format!("{case:?}")],
        };
        if !names.iter().any(|name| name.contains(filter)) {
            continue;
        }
        let got = correct.and_then(|correct| Ok((values(selected, &case, By::Backend)?, correct)));
        let lines: Vec<(bool, String)> = match got {
            Ok((got, correct)) => compare(&case, got, correct)
                .iter()
                .filter(|comparison| comparison.name.contains(filter))
                .map(|comparison| (comparison.holds(), compared(selected.backend, comparison, json)))
                .collect(),
            Err(error) => names
                .iter()
                .map(|name| (false, not_compared(selected.backend, name, &error, json)))
                .collect(),
        };
        for (holds, line) in lines {
            comparisons += 1;
            failed += usize::from(!holds);
            print_result(&line);
        }
    }
    if comparisons == 0 {
        return Err(RunError::usage(format!(
            "--case {filter}: no comparison has such a name; remove it to run all of them"
        )));
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

/// The values of a case, or the message with which the device failed: drivers' libraries panic.
fn values(selected: &Selected, case: &Case, by: By) -> Result<Values, String> {
    let computed = catch_unwind(AssertUnwindSafe(|| selected.run(|device| device.conformance(case, by))));
    computed.map_err(|panic| message(panic.as_ref()))
}

/// The message of a panic on one line.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    let words: Vec<&str> = text.unwrap_or("a panic without a message").split_whitespace().collect();
    words.join(" ")
}

fn not_compared(backend: &str, name: &str, error: &str, json: bool) -> String {
    if json {
        let line = Line::Failed {
            backend,
            name,
            error,
            holds: false,
        };
        return serde_json::to_string(&line).expect("names and numbers");
    }
    format!("FAILS  {name}: {error}")
}

fn compared(backend: &str, comparison: &Comparison, json: bool) -> String {
    let holds = comparison.holds();
    if json {
        let line = Line::Compared {
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
