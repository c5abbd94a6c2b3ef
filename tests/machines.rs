//! The same binary on every machine: what a backend needs and is not there is one clear line, and what is there works.
//!
//! Missing and half-installed drivers are pretended by the environment, so that every machine tests the same.
#![cfg(target_os = "linux")]

mod common;

use common::fake_cuda::{Driver, FakeCuda};
use common::{Output, Program, bytes, folder, left_out, metrics, smoke, summary};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const ONE_DEVICE: Driver = Driver { init: 0, devices: 1 };

fn assert_refused(output: &Output, says: &[&str]) {
    let shown = format!("ended {}: {}", output.code, output.stderr);
    assert_eq!(output.code, 2, "{shown}");
    assert_eq!(output.stderr.trim_end().lines().count(), 1, "one line: {shown}");
    assert!(output.stderr.starts_with("error: --"), "{shown}");
    for part in says {
        assert!(output.stderr.contains(part), "{part:?} is missing: {shown}");
    }
    assert!(output.stdout.is_empty(), "{shown}");
}

#[test]
fn cuda_names_the_first_thing_that_is_missing() {
    let table = [
        (
            FakeCuda::nothing(),
            vec!["no NVIDIA driver", "libcuda", "--backend wgpu or cpu"],
        ),
        (
            FakeCuda::nothing().driver(Driver { init: 100, devices: 0 }),
            vec!["no device", "nvidia-smi", "CUDA_VISIBLE_DEVICES"],
        ),
        (
            FakeCuda::nothing().driver(Driver { init: 999, devices: 0 }),
            vec!["does not start", "999", "nvidia-smi"],
        ),
        (
            FakeCuda::nothing().driver(ONE_DEVICE),
            vec!["libnvrtc", "install the CUDA toolkit", "LD_LIBRARY_PATH"],
        ),
        (
            FakeCuda::nothing().driver(ONE_DEVICE).nvrtc(),
            vec!["toolkit's headers are missing", "cuda_runtime.h", "CUDA_PATH"],
        ),
    ];
    for (cuda, says) in table {
        let folder = folder();
        let run = folder.path().join("run");
        let output = cuda.program().args(["--backend", "cuda", "--out"]).arg(&run).run();
        assert_refused(&output, &says);
        assert!(output.stderr.contains("--backend cuda: "), "{}", output.stderr);
        assert!(!run.exists());
    }
    let whole = FakeCuda::nothing().driver(ONE_DEVICE).nvrtc().headers();
    let output = whole.program().args(["--backend", "cuda", "--device", "9"]).run();
    assert_refused(&output, &["--device 9", "cuda has 1 device(s)", "Pretended GPU"]);
}

#[test]
fn auto_goes_on_to_what_is_there_and_says_why() {
    let half = FakeCuda::nothing().driver(ONE_DEVICE);
    let output = half
        .program()
        .env("VK_DRIVER_FILES", "/nowhere.json")
        .arg("--dry-run")
        .succeed();
    let line = output.stdout.lines().find(|line| line.starts_with("backend ")).unwrap();
    for part in [
        "cpu on ",
        "auto: no cuda: ",
        "libnvrtc",
        "no wgpu: no Vulkan adapter",
        "/nowhere.json",
    ] {
        assert!(line.contains(part), "{part:?} is missing: {line}");
    }
    let devices = half
        .program()
        .env("VK_DRIVER_FILES", "/nowhere.json")
        .arg("devices")
        .succeed();
    assert!(devices.stdout.contains("auto takes cpu"), "{}", devices.stdout);
}

#[test]
fn wgpu_without_a_driver_is_one_line() {
    let folder = folder();
    let run = folder.path().join("run");
    let output = Program::new()
        .env("VK_DRIVER_FILES", "/nowhere.json")
        .args(["--backend", "wgpu", "--out"])
        .arg(&run)
        .run();
    assert_refused(
        &output,
        &[
            "no Vulkan adapter",
            "VK_DRIVER_FILES=/nowhere.json",
            "mesa-vulkan-drivers",
            "--backend cpu",
        ],
    );
    assert!(!run.exists());
}

/// Whether a Vulkan driver is here, hardware or software. In CI there must be one.
fn vulkan_is_here() -> bool {
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

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().expect("an object").keys().cloned().collect()
}

/// The keys of every line of metrics, in order.
fn line_keys(run: &Path) -> Vec<BTreeSet<String>> {
    metrics(run).iter().map(keys).collect()
}

#[test]
fn the_smoke_recipe_ends_alike_on_wgpu_and_on_the_cpu() {
    if !vulkan_is_here() {
        return;
    }
    let folder = folder();
    let (cpu, wgpu) = (folder.path().join("cpu"), folder.path().join("wgpu"));
    smoke("cpu", &cpu).succeed();
    // Kept between runs of the tests: tuning takes most of the time.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let tuned = |out: &Path| smoke("wgpu", out).env("XDG_CACHE_HOME", &cache);
    let output = tuned(&wgpu).without_env("XDG_RUNTIME_DIR").succeed();
    assert_eq!(output.stderr, "", "neither the program nor a driver complains");
    assert!(output.stdout.contains("linear top-1"), "{}", output.stdout);

    let (expected, got) = (summary(&cpu), summary(&wgpu));
    assert_eq!(keys(&expected), keys(&got));
    assert_eq!(got["backend"], "wgpu");
    for key in ["steps", "epochs", "seed", "version", "loss_floor"] {
        assert_eq!(expected[key], got[key], "{key}");
    }
    // Twelve steps from the same weights and batches; AdamW's first steps take the sign of tiny gradients.
    let (expected_loss, loss) = (expected["loss"].as_f64().unwrap(), got["loss"].as_f64().unwrap());
    assert!(
        (loss / expected_loss - 1.0).abs() < 0.05,
        "{loss}, on the cpu {expected_loss}"
    );
    let untrained = |summary: &Value| summary["untrained_knn_top1"].as_f64().unwrap();
    assert!(
        (untrained(&expected) - untrained(&got)).abs() <= 0.01,
        "the same weights, the same features"
    );
    assert_eq!(line_keys(&cpu), line_keys(&wgpu));
    for file in [
        "config.toml",
        "backbone.safetensors",
        "report.html",
        "checkpoints/step-00000012.safetensors",
    ] {
        assert!(!bytes(&wgpu, file).is_empty(), "{file}");
    }
    // What was tuned is kept in the user's cache folder.
    let kept = cache.join("barlow-twins/autotune");
    assert!(kept.is_dir(), "{} is not there", kept.display());
}
