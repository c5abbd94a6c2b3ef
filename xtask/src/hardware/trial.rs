//! A trial of the archive: unpacked into an empty folder, run with nothing of this environment.

use super::record::{Record, Status};
use crate::cuda_check::stub_driver::StubDriver;
use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const STUB: &str = "cuda-stub";
/// The backends of a trial.
pub const BACKENDS: [&str; 3] = ["cpu", "wgpu", STUB];

/// Enough for every item at small sizes on two cores; WGPU's software driver and the stub, for which a thousand kernels are
/// generated, are slow.
fn minutes(backend: &str) -> f64 {
    if backend == "cpu" { 1.5 } else { 6.0 }
}

/// Unpacks the archive and runs its script. On the stub no number means anything: only that every item ends and is recorded.
///
/// # Errors
/// If an item fails or is missing, on the CPU also if one is cut off; on the stub only if one is missing or the time is not kept.
pub fn run(archive: &Path, script: &str, backend: &str) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let path = |name: &str| folder.path().join(name);
    let file = File::open(archive).with_context(|| format!("cannot open {}", archive.display()))?;
    tar::Archive::new(GzDecoder::new(file)).unpack(path("unpacked"))?;
    fs::create_dir(path("home"))?;
    let minutes = minutes(backend);
    let name = if backend == STUB { "cuda" } else { backend };
    let mut command = Command::new(path("unpacked").join(script));
    command
        .args([
            "--sizes",
            "small",
            "--backend",
            name,
            "--minutes",
            &minutes.to_string(),
            "--out",
        ])
        .arg(path("out"))
        .args(["--python", "/nowhere/python3"])
        .env_clear()
        .env("HOME", path("home"))
        .env("PATH", "/usr/bin:/bin")
        .current_dir(path("home"));
    // Kept while the script runs.
    let stub = if backend == STUB {
        Some(StubDriver::build()?)
    } else {
        None
    };
    if let Some(stub) = &stub {
        fs::create_dir(path("sources"))?;
        command.envs(stub.environment(90, &toolkit(&path("toolkit"))?, &path("sources")));
    }
    let start = Instant::now();
    let status = command.status().context("cannot start the archive's script")?;
    let seconds = start.elapsed().as_secs_f64();
    let records = Record::read_all(&path("out"))?;
    let named = |wanted: &str| records.iter().any(|record| record.item == wanted);
    ensure!(
        named("devices") && named("training") && named("ops"),
        "items are missing"
    );
    ensure!(path("out").join("summary.md").is_file(), "there is no summary");
    ensure!(
        seconds <= 60.0 * minutes + 5.0,
        "the script took {seconds:.0} s of at most {minutes} minutes"
    );
    let left = fs::read_dir(path("home"))?.count();
    ensure!(left == 0, "the run wrote {left} files outside its folder");
    if backend == STUB {
        let started = |record: &&Record| record.item == "step-resnet50-2" && record.status == Status::Ok;
        ensure!(
            records.iter().any(|record| started(&record)),
            "no step was timed on the stub"
        );
        return Ok(());
    }
    // A software driver may need more time for an item than it has; then it is cut off.
    let failed = records.iter().find(|record| record.status == Status::Failed);
    if let Some(record) = failed {
        bail!("{} failed: {}", record.item, record.message);
    }
    ensure!(backend != "cpu" || status.success(), "an item was cut off");
    Ok(())
}

/// A folder with the headers that are probed; the stub compiler reads none.
fn toolkit(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder.join("include/crt"))?;
    for header in ["include/cuda_runtime.h", "include/crt/mma.h"] {
        fs::write(folder.join(header), "")?;
    }
    Ok(folder.to_owned())
}
