//! Failures during training: the run stops with an error message and retains its last good checkpoint. A killed run resumes
//! and ends with the same bytes.
#![cfg(unix)]

use crate::common;
use crate::moments;

use common::{Program, bytes, folder, metrics, smoke, told};
use moments::Moments;
use std::path::Path;
use std::time::Duration;

const KILLS: usize = 20;

/// 25 steps an epoch, each followed by a checkpoint.
fn many_epochs(out: &Path) -> Program {
    let small = ["--batch-size", "64", "--epochs", "45", "--set", "eval.every=0"];
    smoke("cpu", out).args(small)
}

/// Names in the folder of the checkpoints.
fn saved(run: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(run.join("checkpoints")).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_run_killed_at_random_moments_ends_with_the_same_bytes() {
    let folder = folder();
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    many_epochs(&whole).succeed();
    // As a user would: --resume once there is a run.
    let go_on = || {
        let started = killed.join("config.toml").exists();
        many_epochs(&killed).args(started.then_some("--resume"))
    };
    let mut random = Moments::from_environment();
    let mut moments = Vec::new();
    for _ in 0..KILLS {
        // Up to two epochs on, the first checkpoint's writing and the reading of the next session among them.
        let (more, milliseconds) = (random.below(17), random.below(40));
        moments.push((more, milliseconds));
        let mut child = go_on().spawn();
        let wanted = told(&killed) + more as usize;
        while told(&killed) < wanted && !child.has_ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(milliseconds));
        if child.has_ended() {
            let output = child.finish();
            assert_eq!(output.code, 0, "{moments:?}, {random}: {}", output.stderr);
            break;
        }
        child.signal("KILL");
        drop(child.finish());
    }
    assert!(
        moments.len() > KILLS / 2,
        "the run ended before it was killed often enough: {moments:?}, {random}"
    );
    if !killed.join("summary.json").exists() {
        go_on().succeed();
    }
    assert!(
        bytes(&whole, "backbone.safetensors") == bytes(&killed, "backbone.safetensors"),
        "the weights differ, killed at {moments:?}, {random}"
    );
    let losses = |run: &Path| -> Vec<_> {
        let told = metrics(run).into_iter();
        told.map(|line| (line["step"].clone(), line["loss"].clone())).collect()
    };
    assert_eq!(losses(&whole), losses(&killed), "killed at {moments:?}, {random}");
}

#[test]
fn a_non_finite_loss_stops_the_run_and_keeps_the_last_good_checkpoint() {
    let folder = folder();
    let run = folder.path().join("run");
    smoke("cpu", &run).succeed();
    std::fs::remove_file(run.join("summary.json")).unwrap();
    let rates = ["--set", "optimizer.learning_rate_weights=1e30", "--epochs", "20"];
    let output = smoke("cpu", &run)
        .args(["--resume", "--accept-changes"])
        .args(rates)
        .run();
    assert_eq!(output.code, 1, "{}", output.stderr);
    for part in ["step", "optimizer.learning_rate_weights", "last finite"] {
        assert!(output.stderr.contains(part), "{part:?} is missing: {}", output.stderr);
    }
    assert_eq!(
        saved(&run).last().map(String::as_str),
        Some("step-00000012.safetensors")
    );
    // It resumes from there with a sane learning rate.
    let sane = ["--set", "optimizer.learning_rate_weights=1e-3", "--epochs", "3"];
    smoke("cpu", &run)
        .args(["--resume", "--accept-changes"])
        .args(sane)
        .succeed();
}

#[test]
fn a_full_disk_stops_the_run_and_keeps_the_last_good_checkpoint() {
    let folder = folder();
    let run = folder.path().join("run");
    smoke("cpu", &run).args(["--epochs", "1"]).succeed();
    std::fs::remove_file(run.join("summary.json")).unwrap();
    let good = bytes(&run, "checkpoints/step-00000006.safetensors");
    // Files are limited to a few blocks, which a checkpoint exceeds: its write fails.
    let more = ["--resume", "--accept-changes", "--epochs", "3"];
    let output = smoke("cpu", &run).args(more).with_largest_file(32).run();
    assert_eq!(output.code, 1, "{}", output.stderr);
    for part in ["checkpoints/step-", "--resume"] {
        assert!(output.stderr.contains(part), "{part:?} is missing: {}", output.stderr);
    }
    assert_eq!(saved(&run), ["best.safetensors", "step-00000006.safetensors"]);
    assert!(bytes(&run, "checkpoints/step-00000006.safetensors") == good);
    smoke("cpu", &run).args(more).succeed();
}
