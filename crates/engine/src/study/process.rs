//! Runs of a study as child processes of the same program: a failure, a panic or a lack of memory ends one run, and each has its own
//! number of threads.
//!
//! A child stops at the end of its standard input, writing a checkpoint. So a stop is passed on by closing the pipe, on every
//! system, and a study that is killed stops its runs, too.

use super::cell_run::{CellRun, Ending, Launch};
use super::folder::write_config;
use crate::error::RunError;
use crate::run_dir::{RunDir, RunDirError};
use crate::stop::StopFlag;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often a child is looked at.
const POLL: Duration = Duration::from_millis(50);
/// How long the child of a study that was killed may take to write its checkpoint.
const PATIENCE: Duration = Duration::from_secs(300);
/// The exit code of an interrupted run.
const INTERRUPTED: i32 = 130;

/// Starts runs as processes.
#[derive(Clone, Debug)]
pub struct ChildRuns {
    /// The program.
    pub program: PathBuf,
    /// Arguments of every run: the device.
    pub args: Vec<OsString>,
    /// The folder in which cells share untrained baselines.
    pub baselines: PathBuf,
}

impl Launch for ChildRuns {
    fn run(&self, run: &CellRun, threads: usize, stop: &StopFlag) -> Ending {
        match self.process(run, threads, stop) {
            Ok(ending) => ending,
            Err(error) => Ending::Failed(RunError::Failed(error).to_string()),
        }
    }
}

impl ChildRuns {
    fn process(&self, run: &CellRun, threads: usize, stop: &StopFlag) -> Result<Ending> {
        if !wait_until_free(&run.root, stop) {
            return Ok(Ending::Interrupted);
        }
        write_config(run)?;
        let log = run.log_file();
        let file = File::options().create(true).append(true).open(&log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        let before = file.metadata().map_or(0, |metadata| metadata.len());
        let mut child = self.command(run, threads).stderr(file).spawn();
        let child = child
            .as_mut()
            .map_err(|error| anyhow::anyhow!("cannot start {}: {error}", self.program.display()))?;
        let status = wait(child, stop, &mut || false)?;
        Ok(match (status.code(), run.finished()) {
            (Some(0), Some(_)) => Ending::Done,
            (Some(INTERRUPTED), _) if stop.is_set() => Ending::Interrupted,
            (code, _) => Ending::Failed(error_line(&log, before).unwrap_or_else(|| without_line(code, &status, &log))),
        })
    }

    /// The command line of a run, without its standard error.
    fn command(&self, run: &CellRun, threads: usize) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("pretrain").args(&self.args);
        command
            .args(["--threads", &threads.to_string(), "--config"])
            .arg(run.config_file());
        command
            .arg("--out")
            .arg(&run.root)
            .arg("--cell-of")
            .arg(&self.baselines);
        if RunDir::open(&run.root).is_ok() {
            command.arg("--resume");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        command
    }

    /// Seconds of a training step of `run`, measured on a throw-away run that makes at least three steps, or as many as fit into `most`
    /// after the first; `None` if it makes none in that time, or fails.
    ///
    /// # Errors
    /// If a temporary folder cannot be written, or the program cannot be started.
    pub fn seconds_per_step(
        &self,
        run: &CellRun,
        threads: usize,
        most: Duration,
        stop: &StopFlag,
    ) -> Result<Option<f64>> {
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        let mut short = run.clone();
        short.root = folder.path().join("run");
        short.config.eval.untrained = false;
        short.config.train.log_every = 1;
        write_config(&short)?;
        let mut child = self.command(&short, threads).stderr(Stdio::null()).spawn();
        let child = child
            .as_mut()
            .map_err(|error| anyhow::anyhow!("cannot start {}: {error}", self.program.display()))?;
        let metrics = short.root.join("metrics.jsonl");
        let start = Instant::now();
        let lines = || std::fs::read_to_string(&metrics).map_or(0, |text| text.lines().count());
        wait(child, stop, &mut || lines() > 3 || start.elapsed() > most)?;
        Ok(step_time(
            &std::fs::read_to_string(&metrics).unwrap_or_default(),
            short.config.train.batch_size,
        ))
    }
}

/// Seconds of a step by the lines of a metrics log, without the first, which may tune kernels.
fn step_time(log: &str, batch_size: usize) -> Option<f64> {
    let rates = log.lines().skip(1).filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line.get("images_per_second")?.as_f64()
    });
    let mut seconds: Vec<f64> = rates
        .filter(|rate| *rate > 0.0)
        .map(|rate| batch_size as f64 / rate)
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied()
}

/// Waits for the end of a child; closes its standard input when the study is asked to stop or `enough` is true.
fn wait(child: &mut Child, stop: &StopFlag, enough: &mut dyn FnMut() -> bool) -> Result<ExitStatus> {
    let mut input = child.stdin.take();
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for a run")? {
            return Ok(status);
        }
        if input.is_some() && (stop.is_set() || enough()) {
            input = None;
        }
        std::thread::sleep(POLL);
    }
}

/// Waits while another process holds the run, which may be the child of a study that was killed; whether it is free.
fn wait_until_free(root: &Path, stop: &StopFlag) -> bool {
    let start = Instant::now();
    while let Ok(run) = RunDir::open(root) {
        if stop.is_set() {
            return false;
        }
        // After that the run itself reports who holds it.
        if !matches!(run.lock(), Err(RunDirError::InUse(_))) || start.elapsed() > PATIENCE {
            break;
        }
        std::thread::sleep(POLL);
    }
    !stop.is_set()
}

/// The last error that a run printed since `before` bytes of its log.
fn error_line(log: &Path, before: u64) -> Option<String> {
    let bytes = std::fs::read(log).ok()?;
    let text = String::from_utf8_lossy(bytes.get(usize::try_from(before).ok()?..)?);
    let last = text.lines().rev().find(|line| line.starts_with("error: "))?;
    Some(last.trim_start_matches("error: ").to_owned())
}

/// The error of a run that ended without one.
fn without_line(code: Option<i32>, status: &ExitStatus, log: &Path) -> String {
    let log = log.display();
    match code {
        Some(0) => format!("the run ended without results; see {log}"),
        Some(INTERRUPTED) => format!("the run was interrupted from outside; see {log}"),
        Some(code) => format!("the run ended with exit code {code}; see {log}"),
        // Linux ends processes by SIGKILL when memory runs out.
        None => format!("the run was killed ({status}), perhaps for lack of memory; see {log}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_does_not_count() {
        let line = |rate: f64| format!("{{\"step\":1,\"images_per_second\":{rate}}}\n");
        assert_eq!(
            step_time(&(line(1.0) + &line(64.0) + &line(32.0) + &line(128.0)), 64),
            Some(1.0)
        );
        assert_eq!(step_time(&line(1.0), 64), None);
        assert_eq!(step_time("{\n\n", 64), None);
    }

    #[test]
    fn the_error_of_this_session_is_the_last_one() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("seed-0.log");
        std::fs::write(&log, "error: old\nerror: a\nwarning: b\nerror: new: why\nmore\n").unwrap();
        assert_eq!(error_line(&log, 11).as_deref(), Some("new: why"));
        std::fs::write(&log, "error: old\nstep\n").unwrap();
        assert_eq!(error_line(&log, 11), None);
    }
}
