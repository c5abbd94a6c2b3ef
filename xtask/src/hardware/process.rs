//! A process with a time limit, and everything that it starts.

use super::item::End;
use super::record::Status;
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);
/// A run that is asked to stop writes a checkpoint and its results.
const GRACE: Duration = Duration::from_secs(15);

/// Runs the command for at most `limit`; its output goes to `stdout` and `stderr`. Returns how it ended and the error.
pub fn run(mut command: Command, limit: Duration, end: End, stdout: &Path, stderr: &Path) -> Result<(Status, String)> {
    let create = |path: &Path| File::create(path).with_context(|| format!("cannot create {}", path.display()));
    command
        .stdin(Stdio::null())
        .stdout(create(stdout)?)
        .stderr(create(stderr)?);
    in_own_group(&mut command);
    let start = Instant::now();
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let program = command.get_program().to_string_lossy();
            return Ok((Status::Failed, format!("{program} cannot be started: {error}")));
        }
    };
    let seconds = limit.as_secs_f64();
    // The grace is a part of the limit.
    let own_time = match end {
        End::Kill => limit,
        End::Stop => limit.saturating_sub(GRACE.min(limit / 2)),
    };
    if let Some(status) = wait(&mut child, start, own_time)? {
        // What the process has started and left behind must not take the device from the next item.
        signal(&child, Signal::Kill);
        return Ok(ended(status, stderr));
    }
    if end == End::Stop {
        signal(&child, Signal::Terminate);
        if wait(&mut child, start, limit)?.is_some() {
            signal(&child, Signal::Kill);
            return Ok((Status::Ok, String::new()));
        }
    }
    signal(&child, Signal::Kill);
    let killed = child.kill();
    // It may have ended by itself in this moment.
    drop(killed);
    child.wait().context("a killed process ends")?;
    Ok((Status::CutOff, format!("killed after {seconds:.0} s")))
}

fn wait(child: &mut Child, start: Instant, limit: Duration) -> Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait().context("the process is ours")? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            return Ok(None);
        }
        sleep(POLL);
    }
}

fn ended(status: ExitStatus, stderr: &Path) -> (Status, String) {
    if status.success() {
        return (Status::Ok, String::new());
    }
    let text = fs::read(stderr).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let last = text
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    let last = last.trim().strip_prefix("error: ").unwrap_or(last.trim());
    let message = if last.is_empty() {
        status.to_string()
    } else {
        last.to_owned()
    };
    (Status::Failed, message)
}

enum Signal {
    /// Not an interrupt: a shell starts background jobs with that ignored, and everything below them inherits it.
    Terminate,
    Kill,
}

/// Everything that the process starts is killed with it; on Linux the process dies with this one too.
#[cfg(unix)]
fn in_own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    #[cfg(target_os = "linux")]
    // SAFETY: prctl is async-signal-safe and touches no memory of this process.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
}

#[cfg(unix)]
fn signal(child: &Child, signal: Signal) {
    let number = match signal {
        Signal::Terminate => libc::SIGTERM,
        Signal::Kill => libc::SIGKILL,
    };
    // SAFETY: the group is that of our own child; that it is gone already is an error without effect.
    unsafe { libc::kill(-(child.id() as libc::pid_t), number) };
}

#[cfg(not(unix))]
fn in_own_group(_: &mut Command) {}

/// Without signals a process is killed by its handle alone.
#[cfg(not(unix))]
fn signal(_: &Child, _: Signal) {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, limit: f64, end: End) -> (Status, String, String) {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let (stdout, stderr) = (folder.path().join("out"), folder.path().join("err"));
        let (status, message) = run(command, Duration::from_secs_f64(limit), end, &stdout, &stderr).unwrap();
        (status, message, fs::read_to_string(stdout).unwrap())
    }

    #[test]
    fn an_error_is_the_last_line_of_standard_error() {
        let (status, message, _) = shell("echo first >&2; echo 'error: no device' >&2; exit 2", 20.0, End::Kill);
        assert_eq!((status, message.as_str()), (Status::Failed, "no device"));
        let (status, message, _) = shell("exit 3", 20.0, End::Kill);
        assert_eq!((status, message.as_str()), (Status::Failed, "exit status: 3"));
    }

    #[test]
    fn what_hangs_is_killed_with_its_children_and_its_output_is_there() {
        let start = Instant::now();
        let (status, message, output) = shell("echo partial; sleep 600 & sleep 600", 0.3, End::Kill);
        assert_eq!((status, output.as_str()), (Status::CutOff, "partial\n"));
        assert_eq!(message, "killed after 0 s");
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn what_runs_as_long_as_it_may_is_asked_to_stop() {
        let script = "trap 'echo stopped; exit 130' TERM; while :; do sleep 0.05; done";
        let (status, _, output) = shell(script, 2.0, End::Stop);
        assert_eq!((status, output.as_str()), (Status::Ok, "stopped\n"));
        let (status, _, _) = shell("trap '' TERM; while :; do sleep 0.05; done", 1.0, End::Stop);
        assert_eq!(status, Status::CutOff);
    }

    #[test]
    fn a_missing_program_is_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let (stdout, stderr) = (folder.path().join("out"), folder.path().join("err"));
        let command = Command::new("/nowhere/python3");
        let (status, message) = run(command, Duration::from_secs(5), End::Kill, &stdout, &stderr).unwrap();
        assert_eq!(status, Status::Failed);
        assert!(message.starts_with("/nowhere/python3 cannot be started"), "{message}");
    }
}
