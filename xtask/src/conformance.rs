//! `cargo xtask conformance`: compares a backend of this machine with the CPU, from single operations to the losses of a run. The
//! tests do the same where they can; this command selects the backends by name and prints the numbers.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Largest relative difference of a loss from the CPU's.
const BOUND: f64 = 2e-4;

/// What to compare.
#[derive(clap::Args)]
pub struct Options {
    /// Backends: cuda, wgpu, cpu
    #[arg(long, value_delimiter = ',', required = true)]
    backend: Vec<String>,
    /// An already built program, started in the current folder [default: built from this repository]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Compare at the shapes of a ResNet-50 too: minutes on a software driver
    #[arg(long)]
    large: bool,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// Index of the device of that backend, from 0
    #[arg(long)]
    device: Option<usize>,
}

/// A run of two steps per epoch, all of them logged. LARS, because AdamW's first steps are the signs of gradients that may be
/// rounding errors; with learning rates at which this small network does not amplify its own rounding errors.
const RUN: [&str; 14] = [
    "--config",
    "smoke",
    "--quiet",
    "--epochs",
    "10",
    "--set",
    "data.train_images=512",
    "--set",
    "train.log_every=1",
    "--set",
    "eval.every=0",
    "--set",
    "optimizer={ kind = \"lars\", learning_rate_weights = 0.05, learning_rate_biases = 0.00003, momentum = 0.5 }",
    "--out",
];

/// Compares every backend, one after the other.
pub fn run(options: Options) -> Result<()> {
    let program = match &options.program {
        Some(program) => Program {
            path: program.clone(),
            folder: None,
        },
        None => Program {
            path: crate::workspace::program()?,
            folder: Some(crate::workspace::workspace_root()),
        },
    };
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let device = options.device.map(|device| format!("--device={device}"));
    let mut failed = Vec::new();
    for backend in &options.backend {
        let start = Instant::now();
        let place: Vec<&str> = ["--backend", backend].into_iter().chain(device.as_deref()).collect();
        // Its table goes to standard output unchanged.
        let status = program
            .command()
            .args(["conformance"])
            .args(options.json.then_some("--json"))
            .args(options.large.then_some("--large"))
            .args(&place)
            .status()
            .context("cannot start the program")?;
        // The losses show what a failing comparison means for a run.
        let same_losses = curve(&program, &place, folder.path(), backend, options.json)?;
        let is_good = status.success() && same_losses;
        let word = if is_good { "ok" } else { "FAILS" };
        if !options.json {
            println(&format!("{word:5}  {backend}, {:.0} s", start.elapsed().as_secs_f64()));
        }
        if !is_good {
            failed.push(backend.as_str());
        }
    }
    ensure!(
        failed.is_empty(),
        "{}: the results differ from the CPU's",
        failed.join(", ")
    );
    Ok(())
}

/// Whether the losses of a run are those of the CPU.
fn curve(program: &Program, place: &[&str], folder: &Path, backend: &str, json: bool) -> Result<bool> {
    let reference = folder.join("reference");
    if !reference.exists() {
        losses(program, &["--backend", "cpu"], &reference)?;
    }
    let (right, got) = (read(&reference)?, losses(program, place, &folder.join(backend))?);
    ensure!(
        right.len() == got.len() && !right.is_empty(),
        "the runs have different numbers of steps, or none"
    );
    let differences = right.iter().zip(&got).map(|(right, got)| (got / right - 1.0).abs());
    let difference = differences.fold(0.0, f64::max);
    let (holds, name) = (difference <= BOUND, format!("losses of {} steps", right.len()));
    if json {
        // As the program's own lines.
        let line =
            json!({ "backend": backend, "name": name, "difference": difference, "bound": BOUND, "holds": holds });
        println(&line.to_string());
    } else {
        let word = if holds { "ok" } else { "FAILS" };
        println(&format!("{word:5}  {difference:8.1e} of at most {BOUND:7.1e}  {name}"));
    }
    Ok(holds)
}

fn losses(program: &Program, place: &[&str], out: &Path) -> Result<Vec<f64>> {
    let output = program.command().args(RUN).arg(out).args(place).output();
    let output = output.context("cannot start the program")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    read(out)
}

/// The losses in a run's log.
fn read(run: &Path) -> Result<Vec<f64>> {
    let path = run.join("metrics.jsonl");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok(lines.iter().filter_map(|line| line["loss"].as_f64()).collect())
}

/// The program and the folder in which it finds the shipped images, if that is not the current one.
struct Program {
    path: PathBuf,
    folder: Option<&'static Path>,
}

impl Program {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        command
    }
}

/// Prints a result; a closed pipe is not an error.
fn println(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}
