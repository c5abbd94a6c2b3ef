//! Goes through the plan within a time limit.

use super::item::{Item, Needs, Work};
use super::options::Options;
use super::plan::plan;
use super::record::{Record, Status};
use super::{peers, process, summary, toolkit, training_images};
use crate::workspace;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// An early item may take this much more than its share: those after it matter less.
const MORE: f64 = 2.0;
/// Kept for the last record and the summary.
const RESERVE: Duration = Duration::from_secs(2);
/// No item is started with less time.
const LEAST: Duration = Duration::from_secs(2);

/// Runs the plan. Every result is recorded when it is there.
///
/// # Errors
/// If the folder cannot be written, or, at the end, if an item failed or was cut off.
pub fn run(options: &Options) -> Result<()> {
    let start = Instant::now();
    let deadline = start + Duration::from_secs_f64(60.0 * options.minutes)
        - RESERVE.min(Duration::from_secs_f64(6.0 * options.minutes));
    let out = std::path::absolute(&options.out).context("--out is not a path")?;
    let used = fs::read_dir(&out).is_ok_and(|mut entries| entries.next().is_some());
    ensure!(!used, "{} is not empty; pass another --out", out.display());
    fs::create_dir_all(out.join("output")).with_context(|| format!("cannot create {}", out.display()))?;
    let program = match &options.program {
        Some(program) => std::path::absolute(program)?,
        None => workspace::program()?,
    };
    peers::write(&out.join("peers"))?;
    let session = Session {
        environment: environment(options, &out),
        no_torch: peers::missing(&options.python),
        home: home(&program),
        program,
        python: options.python.clone(),
        out,
    };
    session.write_about(options)?;
    let items: Vec<Item> = plan(&options.backend, options.sizes(), &session.out)
        .into_iter()
        .filter(|item| item.name.contains(&options.only) || item.name == "devices")
        .collect();
    let mut failed = 0;
    for (number, item) in items.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let weight: f64 = items[number..].iter().map(|item| item.weight).sum();
        let limit = left.mul_f64((MORE * item.weight / weight).min(1.0));
        let begun = Instant::now();
        let (status, message) = match session.reason_to_skip(item, &options.backend, left) {
            Some(reason) => (Status::Skipped, reason),
            None => session.execute(item, limit)?,
        };
        let (status, message) = match (item.name.as_str(), missing(&session.devices(), &options.backend, true)) {
            ("devices", Some(reason)) if status == Status::Ok => (Status::Failed, reason),
            _ => (status, message),
        };
        let record = Record {
            stage: item.stage.to_owned(),
            item: item.name.clone(),
            status,
            seconds: begun.elapsed().as_secs_f64(),
            message,
        };
        record.append(&session.out)?;
        failed += usize::from(matches!(status, Status::Failed | Status::CutOff));
        eprintln!(
            "{:5.0} s  {:32} {:8} {:5.1} s  {}",
            start.elapsed().as_secs_f64(),
            record.item,
            record.status.name(),
            record.seconds,
            record.message
        );
        summary::write(&session.out)?;
    }
    eprintln!("{}", session.out.join("summary.md").display());
    if failed > 0 {
        bail!("{failed} of {} items failed or were cut off", items.len());
    }
    Ok(())
}

/// Where and with what the items run.
struct Session {
    program: PathBuf,
    /// The folder in which the program finds its images.
    home: PathBuf,
    python: String,
    /// Why there is no PyTorch, for the summary's head.
    no_torch: Option<String>,
    environment: Vec<(&'static str, String)>,
    out: PathBuf,
}

impl Session {
    fn reason_to_skip(&self, item: &Item, backend: &str, left: Duration) -> Option<String> {
        if left < LEAST {
            return Some("no time left".to_owned());
        }
        if let (Work::Python(_), Some(_)) = (&item.work, &self.no_torch) {
            return Some("no PyTorch".to_owned());
        }
        match item.needs {
            Needs::Nothing => None,
            // The item `devices` says why.
            Needs::Backend => missing(&self.devices(), backend, true).map(|_| format!("no {backend}")),
            Needs::HardwareAdapter => missing(&self.devices(), "wgpu", false),
        }
    }

    /// Date, program and options, for the summary's head.
    fn write_about(&self, options: &Options) -> Result<()> {
        let said = |program: &Path, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output();
            let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            text.unwrap_or_default().trim().replace('\n', "; ")
        };
        let text = format!(
            "- date: {}\n- program: {}\n- backend: {}, {:?} sizes, {} minutes\n- PyTorch: {}\n",
            said(Path::new("date"), &["-u", "+%Y-%m-%d %H:%M UTC"]),
            said(&self.program, &["--version"]),
            options.backend,
            options.sizes(),
            options.minutes,
            self.no_torch.as_deref().unwrap_or("as below"),
        );
        let path = self.out.join(summary::ABOUT);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// What the program has said of the devices.
    fn devices(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.output("devices", "out")).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// A file of an item's output.
    fn output(&self, item: &str, kind: &str) -> PathBuf {
        self.out.join("output").join(format!("{item}.{kind}"))
    }

    fn execute(&self, item: &Item, limit: Duration) -> Result<(Status, String)> {
        let mut command = match &item.work {
            Work::Images { folder, images } => {
                return Ok(match training_images::write(&self.out.join(folder), *images) {
                    Ok(()) => (Status::Ok, String::new()),
                    Err(error) => (Status::Failed, format!("{error:#}")),
                });
            }
            Work::Program(arguments) => {
                let mut command = Command::new(&self.program);
                command.args(arguments);
                command
            }
            Work::Tool(arguments) => {
                let mut command = Command::new(std::env::current_exe().context("the path of this tool is unknown")?);
                // Before what is passed on after `--`.
                let (name, rest) = arguments.split_first().context("a tool has a name")?;
                command.arg(name).arg("--program").arg(&self.program).args(rest);
                command
            }
            Work::Python(arguments) => {
                let mut command = Command::new(&self.python);
                let (script, rest) = arguments.split_first().context("a script has a name")?;
                command.arg(self.out.join("peers").join(script)).args(rest);
                command
            }
        };
        command
            .current_dir(&self.home)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        let (stdout, stderr) = (self.output(&item.name, "out"), self.output(&item.name, "err"));
        process::run(command, limit, item.end, &stdout, &stderr)
    }
}

/// A tuning cache of its own, so that the first step is a first step; the toolkit's place.
fn environment(options: &Options, out: &Path) -> Vec<(&'static str, String)> {
    let mut environment = vec![("XDG_CACHE_HOME", out.join("cache").display().to_string())];
    if options.backend == "cuda" {
        environment.extend(toolkit::environment(&options.python));
    }
    environment
}

/// The program's folder if it holds images, as in the archive, else this repository.
fn home(program: &Path) -> PathBuf {
    match program.parent() {
        Some(folder) if folder.join("assets").is_dir() => folder.to_owned(),
        _ => workspace::workspace_root().to_owned(),
    }
}

/// Why the backend is not there.
fn missing(devices: &[Value], backend: &str, software: bool) -> Option<String> {
    let of_backend = |line: &&Value| line["backend"] == backend;
    let found = devices
        .iter()
        .filter(of_backend)
        .any(|line| line["device"].is_u64() && (software || line["software"] == false));
    if found {
        return None;
    }
    let reason = devices
        .iter()
        .filter(of_backend)
        .find_map(|line| line["missing"].as_str());
    Some(match reason {
        Some(reason) => format!("{backend} is not available: {reason}"),
        None if devices.is_empty() => "the program has listed no devices".to_owned(),
        None => format!("{backend} has only adapters that are emulated on the processor"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_is_said_in_the_programs_words() {
        let devices = [
            json!({"backend": "cuda", "missing": "no NVIDIA driver"}),
            json!({"backend": "wgpu", "device": 0, "name": "llvmpipe", "software": true}),
            json!({"auto": "cpu", "name": "x"}),
        ];
        let reason = missing(&devices, "cuda", true);
        assert_eq!(reason.as_deref(), Some("cuda is not available: no NVIDIA driver"));
        assert_eq!(missing(&devices, "wgpu", true), None);
        assert!(missing(&devices, "wgpu", false).unwrap().contains("emulated"));
        assert!(missing(&[], "cpu", true).unwrap().contains("no devices"));
    }
}
