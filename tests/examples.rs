//! The examples of the `train` crate, as `cargo test` builds them, run as a user would.

use crate::common;

use common::{Program, bytes, folder, refused, summary};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// An example's binary: in the folder `examples` next to the program.
fn example(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_train"));
    let path = program
        .with_file_name("examples")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    assert!(
        path.exists(),
        "{} is not built: cargo test without --test builds it, or cargo build --release -p train --examples",
        path.display()
    );
    path
}

fn own_backbone(out: &Path) -> Output {
    let mut command = Command::new(example("own_backbone"));
    let output = command.arg(out).stdin(Stdio::null()).output().expect("it was built");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    output
}

#[test]
fn a_network_data_set_and_loss_of_ones_own_are_pre_trained() {
    let folder = folder();
    let out = folder.path().join("run");
    let output = own_backbone(&out);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("kNN top-1 of this session: [0."), "{text}");
    let result = summary(&out);
    let accuracy = |key: &str| result[key].as_f64().unwrap();
    assert!(
        accuracy("knn_top1") > accuracy("untrained_knn_top1") + 0.05,
        "{result:#}"
    );
    assert!(result["loss_floor"].is_null(), "a custom loss has none: {result:#}");
    assert_eq!(result["backend"], "cpu");
    let config = String::from_utf8(bytes(&out, "config.toml")).unwrap();
    assert!(config.contains("backbone = \"custom\""), "{config}");
    for name in ["report.html", "backbone.safetensors", "metrics.jsonl"] {
        assert!(!bytes(&out, name).is_empty(), "{name}");
    }

    // Run again: it is finished. As if it had been stopped before its end: it resumes, to the same weights.
    let weights = bytes(&out, "backbone.safetensors");
    let again = String::from_utf8(own_backbone(&out).stdout).unwrap();
    assert!(again.contains("of this session: []"), "{again}");
    std::fs::remove_file(out.join("summary.json")).unwrap();
    let last_but_one = out.join("checkpoints/step-00000342.safetensors");
    for entry in std::fs::read_dir(out.join("checkpoints")).unwrap() {
        let path = entry.unwrap().path();
        if path != last_but_one {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert!(last_but_one.exists());
    let rest = String::from_utf8(own_backbone(&out).stdout).unwrap();
    let told = rest
        .split_once("of this session: [")
        .unwrap()
        .1
        .split_once(']')
        .unwrap()
        .0;
    assert_eq!(told.split(',').count(), 1, "one epoch, one evaluation: {rest}");
    assert!(bytes(&out, "backbone.safetensors") == weights);

    // The program cannot build that network, and reports it.
    for command in [["knn", "--from"], ["linear", "--from"], ["--resume", "--out"]] {
        refused(
            &Program::new().args(command).arg(&out).run(),
            &["model.backbone is \"custom\""],
        );
    }
}
