//! A run that is interrupted at any moment, by any signal, resumes and ends with the same result.
#![cfg(unix)]

use crate::common;
use crate::moments;

use common::{Program, bytes, fixtures, folder, smoke, summary, told};
use moments::Moments;
use std::path::Path;
use std::time::Duration;

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
    let (whole, stopped) = (folder.path().join("whole"), folder.path().join("stopped"));
    long_epochs(&whole).succeed();
    let mut random = Moments::from_environment();
    let mut moments = Vec::new();
    // Five sessions of 34 lines of metrics are each interrupted some lines and milliseconds on; the sixth is left alone.
    for session in 0..6 {
        let moment = (random.below(7), random.below(60));
        let resume: &[&str] = if session == 0 { &[] } else { &["--resume"] };
        let mut child = long_epochs(&stopped).args(resume).spawn();
        if session < 5 {
            moments.push(moment);
            let (lines, milliseconds) = moment;
            // No line at all means before the first step. A resumed run has written the lines of its checkpoint.
            let wanted = told(&stopped) + lines as usize;
            while told(&stopped) < wanted && !child.has_ended() {
                std::thread::sleep(Duration::from_millis(2));
            }
            std::thread::sleep(Duration::from_millis(50 + milliseconds));
            if !child.has_ended() {
                child.signal("INT");
            }
        }
        let output = child.finish();
        let shown = format!("session {session} of {moments:?}, {random}: {}", output.stderr);
        if output.code == 0 {
            assert!(session > 0, "the first session was not interrupted: {shown}");
            break;
        }
        assert_eq!(output.code, 130, "{shown}");
        // Before the run has a folder there is nothing to save.
        assert_eq!(stopped.exists(), !saved_steps(&stopped).is_empty(), "{shown}");
        if !stopped.exists() {
            long_epochs(&stopped).succeed();
            break;
        }
    }
    assert_ends_alike(&whole, &stopped, &format!("interrupted after {moments:?}, {random}"));
}

#[test]
fn the_second_signal_ends_the_program_at_once() {
    let folder = folder();
    fixtures::sets(folder.path());
    let run = folder.path().join("run");
    // No labels, so that the first step is the first thing that happens; and that takes many seconds on any processor.
    let slow = ["--threads", "1", "--batch-size", "8", "--data", "sets/flat"];
    let large = ["--set", "model.width=64", "--set", "views.size=256"];
    let program = smoke("cpu", &run).args(slow).args(large).folder(folder.path());
    let mut child = program.spawn();
    child.wait_for(&run.join("metrics.jsonl"), |_| true);
    std::thread::sleep(Duration::from_millis(500));
    child.signal("INT");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!child.has_ended(), "the first signal waits for the step");
    child.signal("INT");
    let output = child.finish();
    assert_eq!(output.code, 130, "{}", output.stderr);
    assert!(
        output.stderr.contains("a second signal stops at once"),
        "{}",
        output.stderr
    );
    assert!(saved_steps(&run).is_empty(), "it did not wait for the step");
}

#[test]
fn a_signal_is_heard_when_nobody_reads_standard_error_any_more() {
    let folder = folder();
    let run = folder.path().join("run");
    let mut child = long_epochs(&run).spawn();
    child.wait_for(&run.join("metrics.jsonl"), |text| text.lines().count() >= 2);
    // As in `train 2>&1 | tee log`, where the same Ctrl-C ends tee.
    child.close_standard_error();
    child.signal("INT");
    let output = child.finish();
    assert_eq!(output.code, 130);
    assert!(!saved_steps(&run).is_empty());
}

#[test]
fn a_hangup_that_was_ignored_at_the_start_stays_ignored() {
    let folder = folder();
    let run = folder.path().join("run");
    let mut child = long_epochs(&run).ignoring_hangups().spawn();
    child.wait_for(&run.join("metrics.jsonl"), |text| text.lines().count() >= 2);
    child.signal("HUP");
    let output = child.finish();
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(run.join("summary.json").exists());
}
