//! The built program, run as a user would run it.

#![allow(dead_code, reason = "every test file uses its own part")]

pub mod fake_cuda;
pub mod fixtures;
pub mod mistakes;

use serde_json::Value;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A command line of the program, started in the repository's root.
pub struct Program(Command);

/// The output of a finished program.
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    pub fn new() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
        command.current_dir(root()).stdin(Stdio::null());
        Self(command)
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.0.arg(arg);
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.0.args(args);
        self
    }

    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(key, value);
        self
    }

    pub fn without_env(mut self, key: &str) -> Self {
        self.0.env_remove(key);
        self
    }

    pub fn folder(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// As `nohup` starts a program.
    #[cfg(unix)]
    pub fn ignoring_hangups(self) -> Self {
        self.after("trap '' HUP")
    }

    /// Writes to a file beyond this many blocks of 512 bytes fail.
    #[cfg(unix)]
    pub fn with_largest_file(self, blocks: u64) -> Self {
        self.after(&format!("trap '' XFSZ; ulimit -f {blocks}"))
    }

    /// Started by a shell after other commands.
    #[cfg(unix)]
    fn after(self, commands: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{commands}; exec \"$0\" \"$@\"")]);
        shell.arg(self.0.get_program()).args(self.0.get_args());
        shell.current_dir(self.0.get_current_dir().expect("always set"));
        shell.stdin(Stdio::null());
        Self(shell)
    }

    /// Runs to the end, with any exit code.
    pub fn run(self) -> Output {
        self.spawn().finish()
    }

    /// Runs to the end, which must be a success.
    pub fn succeed(self) -> Output {
        let shown = format!("{:?}", self.0);
        let output = self.run();
        assert_eq!(output.code, 0, "{shown}\n{}{}", output.stdout, output.stderr);
        output
    }

    pub fn spawn(mut self) -> Running {
        let child = self.0.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Running(Some(child.expect("the program was built")))
    }
}

/// A program that is running; it ends with the test.
pub struct Running(Option<Child>);

impl Running {
    /// Sends a signal by its name: INT is what Ctrl-C sends.
    #[cfg(unix)]
    pub fn signal(&mut self, name: &str) {
        // The shell's own kill: /bin/kill is not on every machine.
        let kill = format!("kill -{name} {}", self.child().id());
        let status = Command::new("sh")
            .args(["-c", &kill])
            .status()
            .expect("a shell is there");
        assert!(status.success(), "the program is still running");
    }

    /// Closes the pipe, as a reader does that ends before the program.
    pub fn close_standard_error(&mut self) {
        drop(self.child().stderr.take());
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child().try_wait().expect("the program was started").is_some()
    }

    /// Waits until the text of a file satisfies `ready`, as long as the program runs, for at most a quarter of an hour: on
    /// Mesa's software driver the first step alone takes minutes.
    pub fn wait_for(&mut self, path: &Path, ready: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !std::fs::read_to_string(path).is_ok_and(|text| ready(&text)) {
            assert!(
                start.elapsed() < Duration::from_secs(900),
                "{} did not appear",
                path.display()
            );
            let ended = self.child().try_wait().expect("the program was started");
            assert!(
                ended.is_none(),
                "the program ended ({ended:?}) before {}",
                path.display()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn finish(mut self) -> Output {
        let child = self.0.take().expect("finished once");
        let output = child.wait_with_output().expect("the program was started");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("not finished yet")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Asserts that a command was rejected: exit code 2, and a line that contains all of these.
pub fn refused(output: &Output, says: &[&str]) {
    assert_eq!(output.code, 2, "{}", output.stderr);
    for part in says {
        assert!(output.stderr.contains(part), "{part:?} is missing: {}", output.stderr);
    }
}

/// A run of the smoke recipe on a backend, in `out`.
pub fn smoke(backend: &str, out: &Path) -> Program {
    Program::new()
        .args(["--config", "smoke", "--backend", backend, "--quiet", "--out"])
        .arg(out)
}

/// Puts a finished run of the smoke recipe back to the end of its first epoch, as if the program had been killed in the second,
/// and resumes it.
pub fn resume_after_first_epoch(run: &Path) {
    std::fs::remove_file(run.join("checkpoints/step-00000012.safetensors")).unwrap();
    for name in ["summary.json", "report.html", "backbone.safetensors"] {
        std::fs::remove_file(run.join(name)).unwrap();
    }
    Program::new()
        .args(["--resume", "--backend", "cpu", "--quiet", "--out"])
        .arg(run)
        .succeed();
}

/// A short run of the smoke recipe on the images of `data`, of one epoch.
pub fn train_on(data: &Path, run: &Path) -> Program {
    Program::new()
        .args([
            "--config",
            "smoke",
            "--backend",
            "cpu",
            "--epochs",
            "1",
            "--batch-size",
            "32",
            "--data",
        ])
        .arg(data)
        .arg("--out")
        .arg(run)
}

pub fn summary(run: &Path) -> Value {
    serde_json::from_slice(&bytes(run, "summary.json")).expect("JSON")
}

/// The objects of `metrics.jsonl`.
pub fn metrics(run: &Path) -> Vec<Value> {
    let text = String::from_utf8(bytes(run, "metrics.jsonl")).expect("JSON is UTF-8");
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a JSON object per line"))
        .collect()
}

/// Lines of metrics so far.
pub fn told(run: &Path) -> usize {
    let text = std::fs::read(run.join("metrics.jsonl")).unwrap_or_default();
    text.iter().filter(|&&byte| byte == b'\n').count()
}

/// A file of a run.
pub fn bytes(run: &Path, name: &str) -> Vec<u8> {
    std::fs::read(run.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Prints what a test skips on this machine; not by the macro, whose output the test harness captures.
pub fn left_out(what: &str) {
    let line = format!("LEFT OUT: {what}\n");
    std::io::stderr()
        .write_all(line.as_bytes())
        .expect("standard error is open");
}

/// Whether a Vulkan driver is installed, hardware or software. In CI there must be one.
pub fn vulkan_is_here() -> bool {
    let devices = Program::new().arg("devices").succeed().stdout;
    let found = devices
        .lines()
        .any(|line| line.starts_with("wgpu") && line.contains("--device 0"));
    assert!(
        found || std::env::var_os("CI").is_none(),
        "CI needs a Vulkan driver, on Debian mesa-vulkan-drivers:\n{devices}"
    );
    if !found {
        left_out("no Vulkan driver on this machine; install one (on Debian mesa-vulkan-drivers) to test wgpu");
    }
    found
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A folder that goes away with the test.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}
