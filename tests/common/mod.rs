//! The built program, run as a person would run it.

#![allow(dead_code, reason = "every test file uses its own part")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A command line of the program, started in the repository's root.
pub struct Program(Command);

/// What a finished program left.
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

    pub fn folder(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Runs to the end, whatever the end.
    pub fn run(self) -> Output {
        self.spawn().finish()
    }

    /// Runs to the end, which must be good.
    pub fn succeed(self) -> Output {
        let shown = format!("{:?}", self.0);
        let output = self.run();
        assert_eq!(output.code, 0, "{shown}\n{}{}", output.stdout, output.stderr);
        output
    }

    pub fn spawn(mut self) -> Running {
        Running(
            self.0
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the program was built"),
        )
    }
}

/// A program that is running.
pub struct Running(Child);

impl Running {
    /// Sends what Ctrl-C sends.
    pub fn interrupt(&mut self) {
        let status = Command::new("kill")
            .args(["-INT", &self.0.id().to_string()])
            .status()
            .expect("kill is there");
        assert!(status.success(), "the program is still running");
    }

    pub fn finish(self) -> Output {
        let output = self.0.wait_with_output().expect("the program was started");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A folder that goes away with the test.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Waits until the text of a file fulfils `ready`, for at most a minute.
pub fn wait_for(path: &Path, ready: impl Fn(&str) -> bool) {
    let start = Instant::now();
    while !std::fs::read_to_string(path).is_ok_and(|text| ready(&text)) {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{} did not come",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
