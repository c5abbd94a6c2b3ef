//! One program on several backends: each computes what the CPU computes, and a run resumes on another one.
#![cfg(unix)]

use crate::common;

use common::{Program, bytes, folder, left_out, metrics, refused, smoke, summary, told, vulkan_is_here};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Steps of [`short`].
const STEPS: usize = 20;

/// The program with a lasting cache folder for tuned kernels: tuning takes most of the time on Mesa's software driver.
fn tuned(program: Program) -> Program {
    program.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
}

/// Two steps per epoch, each logged. With LARS, because AdamW's first steps are the signs of gradients that may be rounding; and
/// with rates at which this small network does not multiply its rounding: at six times these, two forms of the loss on the CPU
/// alone are 1 % apart after five steps.
fn short(backend: &str, out: &Path) -> Program {
    tuned(smoke(backend, out)).args([
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
    ])
}

fn comparisons(backend: &str, flags: &[&str]) -> Vec<Value> {
    let output = tuned(Program::new())
        .args(["conformance", "--json", "--backend", backend])
        .args(flags)
        .succeed();
    let lines = output.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("an object per line"))
        .collect()
}

#[test]
fn the_cpus_own_kernels_compute_what_burns_compute() {
    let comparisons = comparisons("cpu", &["--large"]);
    assert!(comparisons.len() > 40, "{}", comparisons.len());
    assert!(
        comparisons
            .iter()
            .all(|line| line["holds"] == true && line["backend"] == "cpu")
    );
    let computed = |word: &str| {
        comparisons
            .iter()
            .any(|line| line["name"].as_str().unwrap().contains(word))
    };
    for word in [
        "convolution",
        "batch norm",
        "pooling",
        "512 to 512 channels, 7 px",
        "product of 256 x 2048",
        "Gram",
        "Direct",
        "LARS",
        "AdamW",
        "SGD",
        "checkpoint",
    ] {
        assert!(computed(word), "{word}");
    }
}

#[test]
fn wgpu_computes_what_the_cpu_computes() {
    if vulkan_is_here() {
        assert!(comparisons("wgpu", &[]).len() > 40);
    }
}

#[test]
fn cuda_computes_what_the_cpu_computes() {
    let devices = Program::new().args(["devices", "--json"]).succeed().stdout;
    let lines = devices.lines();
    let there = lines
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .any(|line| line["backend"] == "cuda" && line["device"] == 0);
    if there {
        assert!(comparisons("cuda", &["--large"]).len() > 40);
    } else {
        left_out("no CUDA device on this machine; cargo xtask conformance --backend cuda tests one");
    }
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().expect("an object").keys().cloned().collect()
}

/// The keys of every line of metrics, in order.
fn line_keys(run: &Path) -> Vec<BTreeSet<String>> {
    metrics(run).iter().map(keys).collect()
}

fn losses(run: &Path) -> Vec<f64> {
    metrics(run).iter().filter_map(|line| line["loss"].as_f64()).collect()
}

fn knn(run: &Path, backend: &str) -> f64 {
    tuned(Program::new())
        .args(["knn", "--quiet", "--backend", backend, "--from"])
        .arg(run)
        .succeed();
    let result: Value = serde_json::from_slice(&bytes(run, "eval/knn.json")).unwrap();
    result["knn_top1"].as_f64().unwrap()
}

#[test]
fn a_run_on_wgpu_that_was_killed_ends_as_one_on_the_cpu() {
    if !vulkan_is_here() {
        return;
    }
    let folder = folder();
    let (cpu, wgpu) = (folder.path().join("cpu"), folder.path().join("wgpu"));
    short("cpu", &cpu).succeed();

    let mut child = short("wgpu", &wgpu).without_env("XDG_RUNTIME_DIR").spawn();
    child.wait_for(&wgpu.join("metrics.jsonl"), |text| text.lines().count() > STEPS / 2);
    child.signal("KILL");
    drop(child.finish());
    assert!(told(&wgpu) < STEPS, "it was killed before its end");
    let output = short("wgpu", &wgpu)
        .without_env("XDG_RUNTIME_DIR")
        .arg("--resume")
        .succeed();
    assert_eq!(output.stderr, "", "neither the program nor a driver prints a warning");
    assert!(output.stdout.contains("linear top-1"), "{}", output.stdout);

    let (expected, got) = (summary(&cpu), summary(&wgpu));
    assert_eq!(keys(&expected), keys(&got));
    assert_eq!(got["backend"], "wgpu");
    for key in ["steps", "epochs", "seed", "version", "loss_floor"] {
        assert_eq!(expected[key], got[key], "{key}");
    }
    assert_eq!(line_keys(&cpu), line_keys(&wgpu));
    let (expected_losses, got_losses) = (losses(&cpu), losses(&wgpu));
    assert_eq!((expected_losses.len(), got_losses.len()), (STEPS, STEPS));
    for (step, (expected, got)) in (1..).zip(expected_losses.iter().zip(&got_losses)) {
        assert!(
            (got / expected - 1.0).abs() <= 2e-4,
            "step {step}: {got}, on the cpu {expected}"
        );
    }
    for key in ["untrained_knn_top1", "knn_top1", "linear_top1"] {
        let (expected, got) = (expected[key].as_f64().unwrap(), got[key].as_f64().unwrap());
        assert!((got - expected).abs() <= 0.02, "{key}: {got}, on the cpu {expected}");
    }
    for file in ["config.toml", "backbone.safetensors", "report.html"] {
        assert!(!bytes(&wgpu, file).is_empty(), "{file}");
    }
    // Checkpoints are independent of the backend.
    let accuracy = |summary: &Value| summary["knn_top1"].as_f64().unwrap();
    assert!((knn(&wgpu, "cpu") - accuracy(&got)).abs() <= 0.01);
    assert!((knn(&cpu, "wgpu") - accuracy(&expected)).abs() <= 0.01);
    // Tuning results are saved in the user's cache folder.
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache/barlow-twins/autotune");
    assert!(kept.is_dir(), "{} does not exist", kept.display());
}

#[test]
fn what_no_buffer_of_a_device_holds_is_refused_before_anything_is_written() {
    if !vulkan_is_here() {
        return;
    }
    let folder = folder();
    let run = folder.path().join("run");
    let table = [
        (
            ["loss.form=direct", "model.projector=32-65536"],
            vec!["65536 x 65536", "16 GiB", "\"gram\""],
        ),
        (
            ["loss.form=gram", "model.projector=65536-65536"],
            vec!["a weight of the projector", "lower model.projector"],
        ),
    ];
    for (sets, says) in table {
        let sets = sets.into_iter().flat_map(|set| ["--set", set]);
        refused(&tuned(smoke("wgpu", &run)).args(sets).run(), &says);
        assert!(!run.exists());
    }
}
