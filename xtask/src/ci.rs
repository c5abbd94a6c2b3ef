//! The CI pipeline as one local command. Prints how long each stage took.
//!
//! Every stage uses the release profile, the workspace's features and one target folder, so that it reuses what earlier stages
//! built.

use anyhow::{Context, Result, ensure};
use std::process::Command;
use std::time::Instant;

/// The test command of the README; CI runs exactly this.
const TEST_COMMAND: &str = "cargo test --workspace --release";

/// The stages that need a certain platform and the network.
const CUDA: &str = "cuda-check";
const LEDGER: &str = "ledger";

struct Stage {
    name: &'static str,
    command: &'static str,
    environment: &'static [(&'static str, &'static str)],
}

const STAGES: &[Stage] = &[
    Stage {
        name: "format",
        command: "cargo fmt --all --check",
        environment: &[],
    },
    Stage {
        name: "lints",
        command: "cargo clippy --workspace --all-targets --release --locked -- -D warnings",
        environment: &[],
    },
    Stage {
        name: "docs",
        command: "cargo doc --workspace --no-deps --release --locked",
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
    },
    Stage {
        name: "book",
        command: "cargo xtask book",
        environment: &[],
    },
    // A library crate alone, with the features that the program does not enable.
    Stage {
        name: "loss alone",
        command: "cargo test -p barlow-loss --features ndarray --release --locked",
        environment: &[],
    },
    Stage {
        name: "tests",
        command: TEST_COMMAND,
        // In CI a missing Vulkan driver is a failure; elsewhere the tests that need one report that they were skipped.
        environment: &[("CI", "1")],
    },
    // After the tests, which have built the program.
    Stage {
        name: "browser",
        command: "cargo xtask browser-test",
        environment: &[],
    },
    // The archive's program runs in an empty folder; the library crates can be packaged.
    Stage {
        name: "release",
        command: "cargo xtask release --dry-run",
        environment: &[],
    },
    // The archive for a machine with a GPU runs without this environment.
    Stage {
        name: "hardware",
        command: "cargo xtask hardware pack --try-on cpu",
        environment: &[],
    },
    // A package outside the workspace: a user of the loss alone.
    Stage {
        name: "learner's format",
        command: "cargo fmt --manifest-path crates/loss/examples/learner/Cargo.toml --check",
        environment: &[],
    },
    Stage {
        name: "learner's lints",
        command: "cargo clippy --manifest-path crates/loss/examples/learner/Cargo.toml --all-targets --release --locked -- -D warnings",
        environment: &[],
    },
    Stage {
        name: "learner",
        command: "cargo test --manifest-path crates/loss/examples/learner/Cargo.toml --release --locked",
        environment: &[],
    },
    Stage {
        name: CUDA,
        command: "cargo xtask cuda-check --sample 20",
        environment: &[],
    },
    // What a step of `smoke` launches; fails if maps are copied between memory orders again. Its small maps have 11 % of their bytes in
    // relayouts, those of a ResNet-50 2 %; ResNets had more than 20 % before.
    Stage {
        name: LEDGER,
        command: "cargo xtask cuda-check --ledger --most-relayouts 15",
        environment: &[],
    },
];

/// Runs the stages in order and stops at the first that fails.
pub fn run() -> Result<()> {
    let root = crate::workspace::workspace_root();
    // Set explicitly, because a package outside the workspace would have its own target folder.
    let target = crate::workspace::target_folder()?;
    let readme = std::fs::read_to_string(root.join("README.md")).context("cannot read README.md")?;
    ensure!(
        readme.contains(TEST_COMMAND),
        "README.md does not show `{TEST_COMMAND}`"
    );
    for stage in STAGES {
        if [CUDA, LEDGER].contains(&stage.name) && !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            eprintln!(
                "== {} is skipped: NVIDIA's compiler is only fetched for Linux on x86-64",
                stage.name
            );
            continue;
        }
        eprintln!("== {}: {}", stage.name, stage.command);
        let start = Instant::now();
        let status = command(stage)
            .env("CARGO_TARGET_DIR", &target)
            .current_dir(root)
            .status()
            .with_context(|| format!("cannot start {}", stage.command))?;
        eprintln!("== {}: {:.1} s", stage.name, start.elapsed().as_secs_f64());
        ensure!(status.success(), "{} failed: {}", stage.name, stage.command);
    }
    Ok(())
}

fn command(stage: &Stage) -> Command {
    let mut words = stage.command.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).envs(stage.environment.iter().copied());
    // Variables that cargo sets for this program: build scripts that read them (ring's) would rerun, and their crates be rebuilt.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}
