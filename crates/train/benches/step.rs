//! `cargo bench -p train`: a training step without the optimiser. The same as `train bench step`, with the same flags after `--`.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let flags = std::env::args().skip(1).filter(|flag| flag != "--bench");
    // The CPU unless another backend is named, so that numbers of different machines have the same meaning.
    let mut flags: Vec<String> = flags.collect();
    if !flags.iter().any(|flag| flag.starts_with("--backend")) {
        flags.extend(["--backend", "cpu"].map(str::to_owned));
    }
    let status = Command::new(env!("CARGO_BIN_EXE_train"))
        .args(["bench", "step"])
        .args(flags)
        .status()
        .expect("the program can be started");
    if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
