//! Measures the cases of a benchmark and prints a line for each.

use super::table::Table;
use anyhow::{Context, Result, bail};
use barlow_engine::error::RunError;
use barlow_engine::host_memory;
use barlow_engine::timing::{Repeats, Workload};
use barlow_train::device::Selected;
use serde_json::{Map, Value, json};
use std::process::{Command, Stdio};

/// A GPU's kernels may be tuned in the first steps.
const WARM_UP_ON_GPU: usize = 2;

/// How a benchmark runs.
#[derive(Clone, Copy, Debug)]
pub struct BenchOptions {
    /// Counted repetitions of each case.
    pub repeats: usize,
    /// Print JSON, one object per line.
    pub json: bool,
    /// `--threads`, which a case's own process gets too.
    pub threads: Option<usize>,
    /// `--device`, likewise.
    pub device: Option<usize>,
}

/// A case of a benchmark.
pub(super) struct Case {
    /// Flags that select it alone.
    pub flags: Vec<String>,
    /// What it is: the first fields of its line.
    pub fields: Value,
    pub workload: Workload,
}

/// Times each case in its own process, so that the peak of the memory is the case's, and one that fails does not end the others.
pub(super) fn in_processes(
    name: &str,
    cases: &[Case],
    table: &Table,
    selected: &Selected,
    options: BenchOptions,
) -> Result<(), RunError> {
    if let [case] = cases {
        return in_this_process(name, cases, table, selected, options).map_err(|error| match error {
            RunError::Failed(error) => RunError::Failed(error.context(case.flags.join(" "))),
            other => other,
        });
    }
    table.print_head(options.json);
    let mut failed = 0;
    for case in cases {
        let line = match child(name, case, selected, options) {
            Ok(line) => line,
            Err(error) => {
                failed += 1;
                let mut line = described(name, case, selected);
                line.insert("error".to_owned(), format!("{error:#}").into());
                line
            }
        };
        table.print_row(&line, options.json);
    }
    if failed > 0 {
        return Err(RunError::Failed(anyhow::anyhow!(
            "{failed} of {} cases fail on {}",
            cases.len(),
            selected.backend
        )));
    }
    Ok(())
}

/// The line that a case prints in its own process.
fn child(name: &str, case: &Case, selected: &Selected, options: BenchOptions) -> Result<Map<String, Value>> {
    let program = std::env::current_exe().context("the path of this program is unknown")?;
    let mut command = Command::new(program);
    command.args(["bench", name, "--json", "--backend", selected.backend]);
    command.args(["--repeats", &options.repeats.to_string()]);
    for (flag, value) in [("--device", options.device), ("--threads", options.threads)] {
        command.args(value.map(|value| format!("{flag}={value}")));
    }
    let output = command
        .args(&case.flags)
        .stdin(Stdio::null())
        .output()
        .context("cannot start this program again")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().last().unwrap_or_default();
        bail!("{} ({})", last.strip_prefix("error: ").unwrap_or(last), output.status);
    }
    serde_json::from_slice(&output.stdout).context("its output is not a JSON object")
}

/// Times all cases in this process.
pub(super) fn in_this_process(
    name: &str,
    cases: &[Case],
    table: &Table,
    selected: &Selected,
    options: BenchOptions,
) -> Result<(), RunError> {
    let warm_up = if selected.backend == "cpu" { 0 } else { WARM_UP_ON_GPU };
    let repeats = Repeats {
        warm_up,
        counted: options.repeats,
    };
    table.print_head(options.json);
    for case in cases {
        let timing = selected.run(|device| device.time(&case.workload, repeats));
        let cost = case.workload.cost();
        let mut line = described(name, case, selected);
        let measured = json!({
            "first_s": timing.first,
            "median_s": timing.median(),
            "min_s": timing.min(),
            "max_s": timing.max(),
            "gflop": cost.operations / 1e9,
            "gbyte": cost.bytes / 1e9,
            "gflop_per_s": cost.operations / 1e9 / timing.median(),
            "peak_mb": host_memory::peak().map(|bytes| bytes as f64 / 1024.0 / 1024.0),
        });
        extend(&mut line, measured);
        table.print_row(&line, options.json);
    }
    Ok(())
}

/// The fields that say what is measured.
fn described(name: &str, case: &Case, selected: &Selected) -> Map<String, Value> {
    let mut line = Map::new();
    extend(&mut line, json!({ "bench": name }));
    extend(&mut line, case.fields.clone());
    extend(
        &mut line,
        json!({
            "backend": selected.backend,
            "device": selected.name,
            "precision": "f32",
            "threads": rayon::current_num_threads(),
        }),
    );
    line
}

fn extend(line: &mut Map<String, Value>, fields: Value) {
    if let Value::Object(fields) = fields {
        line.extend(fields);
    }
}
