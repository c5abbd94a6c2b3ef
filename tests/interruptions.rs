//! A run that is interrupted, at any moment and in any way, goes on as if it had not been.
#![cfg(unix)]

mod common;

use common::{Program, bytes, folder, smoke, summary};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::{Duration, Instant};

/// 51 steps an epoch, so that there is a middle of it.
fn long_epochs(out: &Path) -> Program {
    smoke("cpu", out).args(["--batch-size", "32", "--set", "model.width=8"])
}

fn saved_steps(run: &Path) -> Vec<u64> {
    let Ok(entries) = std::fs::read_dir(run.join("checkpoints")) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.expect("listed").file_name().into_string().expect("ASCII"));
    names
        .filter_map(|name| name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok())
        .collect()
}

fn assert_ends_alike(whole: &Path, stopped: &Path, what: &str) {
    let (expected, got) = (summary(whole), summary(stopped));
    for key in [
        "knn_top1",
        "linear_top1",
        "untrained_knn_top1",
        "untrained_linear_top1",
        "loss",
        "steps",
    ] {
        assert_eq!(expected[key], got[key], "{key}, {what}");
    }
    assert!(
        bytes(whole, "backbone.safetensors") == bytes(stopped, "backbone.safetensors"),
        "the weights differ, {what}"
    );
}

#[test]
fn both_signals_keep_a_checkpoint_in_the_middle_of_an_epoch() {
    let folder = folder();
    let whole = folder.path().join("whole");
    long_epochs(&whole).succeed();
    for signal in ["INT", "TERM"] {
        let stopped = folder.path().join(signal);
        let mut child = long_epochs(&stopped).spawn();
        child.wait_for(&stopped.join("metrics.jsonl"), |text| text.lines().count() >= 2);
        child.signal(signal);
        let output = child.finish();
        assert_eq!(output.code, 130, "{}", output.stderr);
        assert!(output.stderr.contains("--resume"), "{}", output.stderr);
        assert!(!stopped.join("summary.json").exists());
        let step = saved_steps(&stopped).into_iter().max().expect("a checkpoint");
        assert!((6..51).contains(&step), "in the first epoch, not at its end: {step}");
        // The very command that was interrupted, with --resume.
        long_epochs(&stopped).arg("--resume").succeed();
        assert_ends_alike(&whole, &stopped, signal);
    }
}

#[test]
fn a_run_interrupted_at_random_moments_ends_with_the_same_accuracy() {
    let folder = folder();
    let whole = folder.path().join("whole");
    let start = Instant::now();
    long_epochs(&whole).succeed();
    let duration = start.elapsed();
    let stopped = folder.path().join("stopped");
    let mut moments = Vec::new();
    let mut interruptions = 0;
    // Each session is interrupted at a moment of its own, from before the first step to the last evaluation, until one
    // comes to its end; the sixth is left alone.
    for session in 0..6 {
        let random = RandomState::new().hash_one(session) as f64 / u64::MAX as f64;
        // Never before the program listens to signals, a few milliseconds after its start.
        let moment = Duration::from_millis(200) + duration.mul_f64(0.5 * random);
        let resume: &[&str] = if session == 0 { &[] } else { &["--resume"] };
        let mut child = long_epochs(&stopped).args(resume).spawn();
        if session < 5 {
            moments.push(moment);
            std::thread::sleep(moment);
            if !child.has_ended() {
                child.signal("INT");
            }
        }
        let output = child.finish();
        let shown = format!("session {session} of {moments:?}: {}", output.stderr);
        if output.code == 0 {
            break;
        }
        assert_eq!(output.code, 130, "{shown}");
        assert!(!saved_steps(&stopped).is_empty(), "{shown}");
        interruptions += 1;
    }
    assert!(interruptions >= 1, "no session was interrupted: {moments:?}");
    assert_ends_alike(&whole, &stopped, &format!("interrupted after {moments:?}"));
}

#[test]
fn the_second_signal_ends_the_program_at_once() {
    let folder = folder();
    let run = folder.path().join("run");
    // One step takes minutes, so that only the second signal can be what ends it.
    let slow = [
        "--batch-size",
        "1500",
        "--set",
        "model.width=64",
        "--set",
        "views.size=64",
    ];
    let quick_start = ["--set", "eval.resize=8", "--set", "eval.crop=8"];
    let mut child = smoke("cpu", &run).args(slow).args(quick_start).spawn();
    child.wait_for(&run.join("config.toml"), |_| true);
    child.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!child.has_ended(), "the first signal waits for the step");
    let start = Instant::now();
    child.signal("INT");
    let output = child.finish();
    assert_eq!(output.code, 130, "{}", output.stderr);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(output.stderr.contains("once more to stop at once"), "{}", output.stderr);
}
