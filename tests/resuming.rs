//! What a run resumes or starts with: its config, its images, its checkpoints, other runs' weights.

use crate::common;

use common::{Program, bytes, folder, metrics, refused, smoke, summary};
use std::path::Path;

/// Removes the summary of a finished run, so that it is not finished any more.
fn unfinished(run: &Path) {
    smoke("cpu", run).succeed();
    std::fs::remove_file(run.join("summary.json")).unwrap();
}

fn config(run: &Path) -> String {
    String::from_utf8(bytes(run, "config.toml")).unwrap()
}

#[test]
fn a_changed_config_is_named_and_taken_only_when_asked_for() {
    let folder = folder();
    let run = folder.path().join("run");
    unfinished(&run);
    let lambda = ["--resume", "--set", "loss.lambda=0.5"];
    refused(
        &smoke("cpu", &run).args(lambda).run(),
        &["loss.lambda 0.0051 -> 0.5", "--accept-changes"],
    );
    let before = config(&run);
    std::fs::write(
        run.join("config.toml"),
        before.replace("lambda = 0.0051", "lambda = 0.5"),
    )
    .unwrap();
    let edited = Program::new()
        .args(["--resume", "--backend", "cpu", "--out"])
        .arg(&run)
        .run();
    refused(&edited, &["loss.lambda 0.0051 -> 0.5"]);
    std::fs::write(run.join("config.toml"), &before).unwrap();
    // The number of workers is not a change, and neither is a value that the run already has.
    smoke("cpu", &run)
        .args(["--resume", "--workers", "1", "--seed", "0"])
        .succeed();
    for fixed in ["model.width=8", "train.batch_size=128", "optimizer.kind=lars"] {
        let output = smoke("cpu", &run)
            .args(["--resume", "--accept-changes", "--set", fixed])
            .run();
        refused(&output, &[fixed.split('=').next().unwrap(), "pretrain --from"]);
    }
    assert_eq!(config(&run), before);
    // A run cannot be shorter than it is.
    let shorter = ["--resume", "--accept-changes", "--epochs", "1"];
    refused(
        &smoke("cpu", &run).args(shorter).run(),
        &["already completed 12 steps", "--epochs"],
    );
    // A finished run continues when it is given more epochs.
    let more = [
        "--resume",
        "--accept-changes",
        "--epochs",
        "4",
        "--set",
        "loss.lambda=0.5",
    ];
    smoke("cpu", &run).args(more).succeed();
    assert_eq!(
        (summary(&run)["steps"].as_u64(), summary(&run)["epochs"].as_u64()),
        (Some(24), Some(4))
    );
    assert_eq!(
        config(&run),
        before
            .replace("lambda = 0.0051", "lambda = 0.5")
            .replace("epochs = 2", "epochs = 4")
    );
}

#[test]
fn images_that_were_renamed_are_other_images() {
    let folder = folder();
    let (data, run) = (folder.path().join("data"), folder.path().join("run"));
    common::fixtures::sets(folder.path());
    std::fs::rename(folder.path().join("sets/good"), &data).unwrap();
    let train = || {
        let short = ["--epochs", "1", "--batch-size", "2", "--data"];
        smoke("cpu", &run).args(short).arg(&data)
    };
    train().succeed();
    std::fs::remove_file(run.join("summary.json")).unwrap();
    let file = first_file(&data.join("train"));
    let renamed = file.with_file_name(format!("zz-{}", file.file_name().unwrap().to_str().unwrap()));
    std::fs::rename(&file, &renamed).unwrap();
    let resume = || train().arg("--resume").run();
    refused(&resume(), &["names or labels have changed"]);
    std::fs::rename(&renamed, &file).unwrap();
    assert_eq!(resume().code, 0);
}

fn first_file(folder: &Path) -> std::path::PathBuf {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    match paths.iter().find(|path| path.is_file()) {
        Some(file) => file.clone(),
        None => first_file(&paths[0]),
    }
}

#[test]
fn a_damaged_checkpoint_is_set_aside_and_the_one_before_it_taken() {
    let folder = folder();
    let run = folder.path().join("run");
    unfinished(&run);
    let backbone = bytes(&run, "backbone.safetensors");
    let newest = run.join("checkpoints/step-00000012.safetensors");
    let mut damaged = std::fs::read(&newest).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0x40;
    std::fs::write(&newest, damaged).unwrap();
    let output = smoke("cpu", &run).arg("--resume").succeed();
    for part in ["step-00000012.safetensors", "checksum", ".damaged"] {
        assert!(output.stderr.contains(part), "{part:?} is missing: {}", output.stderr);
    }
    assert!(
        bytes(&run, "backbone.safetensors") == backbone,
        "the steps since then were repeated"
    );
    let steps: Vec<_> = metrics(&run).iter().map(|line| line["step"].clone()).collect();
    assert!(steps.is_sorted_by_key(|step| step.as_u64()), "{steps:?}");
}

#[test]
fn weights_of_a_run_or_a_file_are_a_start() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let (first, file) = (path("first"), path("first/backbone.safetensors"));
    smoke("cpu", &first).succeed();
    let trained = &summary(&first)["knn_top1"];
    let from = |name: &str, from: &Path, suffix: &str, more: &[&str]| {
        let mut from = from.as_os_str().to_owned();
        from.push(suffix);
        let command = Program::new()
            .args(["pretrain", "--backend", "cpu", "--out"])
            .arg(path(name));
        command.arg("--from").arg(from).args(more)
    };
    // The last weights are those whose accuracy the first run ended with; its own recipe is used.
    let output = from("a", &first, "@last", &["--seed", "5"]).succeed();
    assert!(output.stderr.contains("projector loaded"), "{}", output.stderr);
    assert!(output.stdout.contains("(at the start 0."), "{}", output.stdout);
    assert!(
        String::from_utf8(bytes(&path("a"), "report.html"))
            .unwrap()
            .contains("at the start")
    );
    assert_eq!(&summary(&path("a"))["untrained_knn_top1"], trained);
    assert!(config(&path("a")).contains("seed = 5"));
    // A backbone's file has no recipe and no projector.
    let smoke = ["--config", "smoke"];
    let output = from("b", &file, "", &smoke).succeed();
    assert!(
        output.stderr.contains("projector newly initialised"),
        "{}",
        output.stderr
    );
    assert_eq!(&summary(&path("b"))["untrained_knn_top1"], trained);
    // A run with another projector gets a new one, too.
    let wider = ["--set", "model.projector=64-64"];
    let output = from("c", &first, "", &wider).succeed();
    assert!(
        output.stderr.contains("projector newly initialised"),
        "{}",
        output.stderr
    );
    // A mismatch is reported before anything is written.
    let output = from("d", &file, "", &["--config", "smoke", "--set", "model.width=8"]).run();
    refused(&output, &["first/backbone.safetensors", "do not fit the backbone"]);
    assert!(!path("d").exists());
    refused(&from("d", &path("none"), "", &[]).run(), &["none"]);
    refused(&from("a", &first, "", &["--resume"]).run(), &["--from", "--resume"]);
}

#[cfg(unix)]
#[test]
fn a_finished_run_that_is_given_more_epochs_is_not_finished_before_their_end() {
    let folder = folder();
    let run = folder.path().join("run");
    smoke("cpu", &run).succeed();
    let told = metrics(&run).len();
    let longer = [
        "--resume",
        "--accept-changes",
        "--epochs",
        "200",
        "--set",
        "eval.every=0",
    ];
    let mut child = smoke("cpu", &run).args(longer).spawn();
    child.wait_for(&run.join("metrics.jsonl"), |text| text.lines().count() > told);
    child.signal("INT");
    assert_eq!(child.finish().code, 130);
    // As the message says: without a flag, because the run has its config.
    let told = metrics(&run).len();
    let resumed = Program::new()
        .args(["--resume", "--backend", "cpu", "--quiet", "--out"])
        .arg(&run);
    let mut child = resumed.spawn();
    child.wait_for(&run.join("metrics.jsonl"), |text| text.lines().count() > told);
    child.signal("INT");
    assert_eq!(child.finish().code, 130);
}

#[cfg(unix)]
#[test]
fn a_second_process_is_kept_out_of_a_run() {
    let folder = folder();
    let run = folder.path().join("run");
    let long = || smoke("cpu", &run).args(["--epochs", "200", "--set", "eval.every=0"]);
    let mut first = long().spawn();
    first.wait_for(&run.join("metrics.jsonl"), |text| text.lines().count() >= 2);
    refused(&long().arg("--resume").run(), &["is being trained by another process"]);
    first.signal("INT");
    assert_eq!(first.finish().code, 130);
    let mut second = long().arg("--resume").spawn();
    let lines = metrics(&run).len();
    second.wait_for(&run.join("metrics.jsonl"), |text| text.lines().count() > lines);
    second.signal("INT");
    assert_eq!(second.finish().code, 130);
}
