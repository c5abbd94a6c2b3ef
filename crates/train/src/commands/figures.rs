//! How the numbers of an evaluation are printed: a line a run, untrained networks beside, several runs together.

use crate::console::print_result;
use barlow_engine::protocols::{Evaluated, RunEvaluated, Spread};
use std::collections::BTreeMap;

/// Spreads by name.
pub(super) type Spreads = BTreeMap<&'static str, Spread>;

/// `linear top-1 0.7120, top-5 0.9300 (step 100)`: the numbers `shown` with their labels, as far as they are defined, and what
/// follows.
pub(super) fn line(spreads: &Spreads, shown: &[(&str, &str)], after: &str) -> String {
    let parts = shown.iter().filter_map(|(name, label)| {
        let spread = spreads.get(name)?;
        // The first is the result; the others are left away where they are not defined.
        (spread.mean.is_some() || *name == shown[0].0).then(|| format!("{label} {spread}"))
    });
    format!("{} ({after})", parts.collect::<Vec<_>>().join(", "))
}

/// Prints what `of_run` gives for every run, and, where there are several, their mean.
pub(super) fn print<D>(evaluated: &Evaluated<D>, shown: &[(&str, &str)], of_run: &dyn Fn(&RunEvaluated<D>)) {
    for run in &evaluated.runs {
        if evaluated.runs.len() > 1 {
            print_result(&format!("{}:", run.run.display()));
        }
        of_run(run);
        if !run.untrained.is_empty() {
            print_result(&line(&run.untrained_figures(), shown, "untrained"));
        }
    }
    if evaluated.runs.len() > 1 {
        print_result(&line(
            &evaluated.over_runs(),
            shown,
            &format!("{} runs", evaluated.runs.len()),
        ));
    }
}
