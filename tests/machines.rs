//! The same binary on every machine: a missing requirement of a backend is one clear line, and what is available works.
//!
//! Missing and half-installed drivers are simulated through the environment, so that every machine tests the same.
#![cfg(target_os = "linux")]

use crate::common;

use common::fake_cuda::{Driver, FakeCuda};
use common::{Output, Program, folder};
use serde_json::Value;

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
        (
            FakeCuda::nothing().driver(ONE_DEVICE).nvrtc().half_the_headers(),
            vec!["toolkit's headers are missing", "crt/mma.h", "CUDA_PATH"],
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
    assert_refused(&output, &["--device 9", "cuda has 1 device(s)", "Stub GPU"]);
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

#[test]
fn devices_are_told_to_scripts_too() {
    let output = FakeCuda::nothing()
        .driver(ONE_DEVICE)
        .nvrtc()
        .headers()
        .program()
        .args(["devices", "--json"])
        .succeed();
    let lines: Vec<Value> = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object per line"))
        .collect();
    let of = |backend: &str| {
        lines
            .iter()
            .find(|line| line["backend"] == backend)
            .expect("a line per backend")
    };
    assert_eq!(of("cuda")["name"], "Stub GPU");
    // The stub driver reports no more.
    assert_eq!(of("cuda")["memory_bytes"], Value::Null);
    let cpu = of("cpu");
    assert!(cpu["memory_bytes"].as_u64() > Some(1 << 28), "{cpu}");
    assert_eq!(
        (&cpu["software"], &cpu["bf16"]),
        (&Value::Bool(false), &Value::Bool(false))
    );
    let auto = lines.last().unwrap();
    assert_eq!(auto["auto"], "cuda", "{auto}");
    assert!(auto["reason"].as_str().unwrap().starts_with("auto: "), "{auto}");
}
