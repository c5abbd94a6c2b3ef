//! `conformance`: whether a backend computes here what it should.

use crate::console::{Terminal, print_result};
use barlow_engine::backend::TrainBackend;
use barlow_engine::conformance::{self, Comparison};
use barlow_engine::console::Console;
use barlow_engine::error::RunError;
use barlow_train::device::{OnBackend, Selected, on_backend};
use serde::Serialize;

/// A line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    backend: &'a str,
    #[serde(flatten)]
    comparison: &'a Comparison,
    holds: bool,
}

/// Prints a line a comparison, as JSON if asked for.
///
/// # Errors
/// [`RunError::Failed`] if the backend computes something else.
pub fn run(selected: &Selected, json: bool, console: &Terminal) -> Result<(), RunError> {
    console.line(&format!("backend     {selected}"));
    if selected.backend != "cpu" {
        console.line("each first use of a kernel compiles it, and tunes it where there is a choice: minutes");
    }
    let (comparisons, failed) = on_backend(selected, Work { selected, json });
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

struct Work<'a> {
    selected: &'a Selected,
    json: bool,
}

impl OnBackend for Work<'_> {
    type Output = (usize, usize);

    fn run<B: TrainBackend>(self, device: &B::Device) -> Self::Output {
        let (mut comparisons, mut failed) = (0, 0);
        conformance::run::<B>(device, &mut |comparison| {
            comparisons += 1;
            failed += usize::from(!comparison.holds());
            print_result(&self.line(comparison));
        });
        (comparisons, failed)
    }
}

impl Work<'_> {
    fn line(&self, comparison: &Comparison) -> String {
        let holds = comparison.holds();
        if self.json {
            let line = Line {
                backend: self.selected.backend,
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
}
