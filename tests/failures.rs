//! What goes wrong while a run is at work: it stops, says why, and keeps the last good checkpoint. And it may be killed.
#![cfg(unix)]

mod common;

use common::{Program, bytes, folder, metrics, smoke, told};
use std::hash::{BuildHasher, RandomState};
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
    // As a person would: --resume once there is a run.
    let go_on = || {
        let started = killed.join("config.toml").exists();
        many_epochs(&killed).args(started.then_some("--resume"))
    };
    let mut moments = Vec::new();
    for kill in 0..KILLS {
        let random = RandomState::new().hash_one(kill);
        // Up to two epochs on, the first checkpoint's writing and the reading of the next session among them.
        let (more, milliseconds) = (random % 17, random / 17 % 40);
        moments.push((more, milliseconds));
        let mut child = go_on().spawn();
        let wanted = told(&killed) + more as usize;
        while told(&killed) < wanted && !child.has_ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(milliseconds));
        if child.has_ended() {
            let output = child.finish();
            assert_eq!(output.code, 0, "{moments:?}: {}", output.stderr);
            break;
        }
        child.signal("KILL");
        drop(child.finish());
    }
    assert!(
        moments.len() > KILLS / 2,
        "the run ended before it was killed often enough: {moments:?}"
    );
    if !killed.join("summary.json").exists() {
        go_on().succeed();
    }
    assert!(
        bytes(&whole, "backbone.safetensors") == bytes(&killed, "backbone.safetensors"),
        "the weights differ, killed at {moments:?}"
    );
    let losses = |run: &Path| -> Vec<_> {
        let told = metrics(run).into_iter();
        told.map(|line| (line["step"].clone(), line["loss"].clone())).collect()
    };
    assert_eq!(losses(&whole), losses(&killed), "killed at {moments:?}");
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_checkpoint() {
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
    // From there it goes on with a rate that is one.
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
    // No file may grow beyond a few blocks, which a checkpoint does: to the program that is a write that fails.
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
