//! The program's contract on the CPU: the files of a run, that it repeats itself bit for bit, that it resumes where it
//! stopped.

use crate::common;

use common::{Program, bytes, folder, metrics, summary};
use serde_json::Value;
use std::path::Path;

/// A run of the smoke recipe in `out`.
fn smoke(out: &Path) -> Program {
    common::smoke("cpu", out)
}

#[test]
fn a_run_leaves_what_the_contract_says() {
    let folder = folder();
    let run = folder.path().join("run");
    let output = smoke(&run).succeed();
    assert!(output.stdout.contains("linear top-1"), "{}", output.stdout);
    assert!(output.stdout.contains("report.html"), "{}", output.stdout);

    let summary = summary(&run);
    for key in [
        "knn_top1",
        "linear_top1",
        "linear_top5",
        "untrained_knn_top1",
        "untrained_linear_top1",
    ] {
        let value = summary[key]
            .as_f64()
            .unwrap_or_else(|| panic!("{key} is a number: {summary}"));
        assert!(
            (0.1..=1.0).contains(&value),
            "{key} is a fraction above chance: {value}"
        );
    }
    assert_eq!(summary["loss_floor"].as_f64(), Some(0.0), "D < N has the floor 0");
    for (key, expected) in [("steps", 12), ("epochs", 2), ("seed", 0)] {
        assert_eq!(summary[key].as_u64(), Some(expected), "{key}");
    }
    assert_eq!(summary["backend"], "cpu");
    assert_eq!(summary["version"], env!("CARGO_PKG_VERSION"));

    let lines = metrics(&run);
    let losses = lines.iter().filter(|line| line["loss"].is_number()).count();
    assert_eq!(losses, 4, "a line every three of twelve steps");
    assert!(
        lines.iter().any(|line| line["knn_top1"].is_number()),
        "the evaluation is in the log"
    );
    assert!(
        lines
            .iter()
            .filter(|line| line["loss"].is_number())
            .all(|line| line["online_top1"].is_number()),
        "the online probe too"
    );
    let used = lines
        .iter()
        .find_map(|line| line["effective_rank"].as_f64())
        .expect("an evaluation");
    assert!((1.0..=32.0).contains(&used), "of 32 features: {used}");
    let evaluation = lines.iter().find(|line| line["knn_top1"].is_number()).unwrap();
    let of_embeddings = evaluation["embedding_rank"].as_f64().unwrap();
    assert!((1.0..=32.0).contains(&of_embeddings), "of 32: {of_embeddings}");
    let spectrum = evaluation["embedding_spectrum"].as_array().unwrap();
    let parts: Vec<f64> = spectrum.iter().map(|part| part.as_f64().unwrap()).collect();
    assert!(parts.is_sorted_by(|a, b| a >= b) && parts.len() == 32, "{parts:?}");
    assert!(
        (parts.iter().sum::<f64>() - 1.0).abs() < 1e-9,
        "all there are: {parts:?}"
    );
    let last = lines.iter().rfind(|line| line["loss"].is_number()).unwrap();
    assert_eq!(last["seconds_left"], 0.0);
    assert!(!cfg!(target_os = "linux") || last["peak_memory_mib"].as_f64() > Some(1.0));
    let boards = std::fs::read_dir(run.join("tensorboard")).unwrap().count();
    assert_eq!(boards, 1, "one event file per session");

    let weights = safetensors::SafeTensors::deserialize(Box::leak(bytes(&run, "backbone.safetensors").into())).unwrap();
    assert_eq!(weights.tensor("conv1.weight").unwrap().shape(), [4, 3, 3, 3]);
    assert_eq!(weights.tensor("layer4.1.bn2.running_var").unwrap().shape(), [32]);
    let batches = weights.tensor("bn1.num_batches_tracked").unwrap();
    assert_eq!(batches.data(), 24i64.to_le_bytes(), "two views per step");

    let report = String::from_utf8(bytes(&run, "report.html")).unwrap();
    assert!(
        report.contains("<svg") && report.contains("data:image/png;base64,"),
        "charts and views are in the report"
    );
    for part in [
        "C of the untrained network",
        "C of the trained network",
        "data-figure=\"map-tsne\"",
        "All 400 test images",
        "data-figure=\"gallery\"",
        "data-figure=\"confusion\"",
        "data-figure=\"class-accuracy\"",
        "As in the recipe",
        "1662 in 10 classes",
        "waiting for views",
        "--config smoke",
    ] {
        assert!(report.contains(part), "{part} is not in the report");
    }
    assert!(report.len() < 3_000_000, "{} bytes", report.len());
    assert!(
        !report.contains("src=\"http") && !report.contains("href=\"http"),
        "no external resource is requested"
    );
    assert!(
        String::from_utf8(bytes(&run, "config.toml"))
            .unwrap()
            .contains("projector = \"32-32-32\"")
    );
    assert!(run.join("checkpoints/step-00000012.safetensors").is_file());

    let knn = Program::new()
        .args(["knn", "--from"])
        .arg(format!("{}@last", run.display()))
        .succeed();
    let evaluated: Value = serde_json::from_slice(&bytes(&run, "eval/knn.json")).unwrap();
    assert_eq!(evaluated["knn_top1"], summary["knn_top1"], "{}", knn.stdout);
    let linear = Program::new()
        .args(["linear", "--from"])
        .arg(format!("{}@last", run.display()))
        .succeed();
    let evaluated: Value = serde_json::from_slice(&bytes(&run, "eval/linear.json")).unwrap();
    assert_eq!(evaluated["linear_top1"], summary["linear_top1"], "{}", linear.stdout);

    // Written again, it has the later evaluations; what is damaged of the stored part is computed again.
    std::fs::write(run.join("report/portrait.json"), "{").unwrap();
    let figures = folder.path().join("figures");
    let again = Program::new()
        .arg("report")
        .arg(&run)
        .arg("--figures")
        .arg(&figures)
        .succeed();
    let report = String::from_utf8(bytes(&run, "report.html")).unwrap();
    for part in ["Later evaluations", "<h3>linear</h3>", "data-figure=\"map-tsne\""] {
        assert!(report.contains(part), "{part} is not in the report: {}", again.stderr);
    }
    for file in [
        "map-pca.svg",
        "gallery.svg",
        "correlation-trained.svg",
        "views-0-view-a.png",
    ] {
        assert!(figures.join(file).is_file(), "{file}");
    }

    let merged = folder.path().join("both.html");
    Program::new()
        .arg("report")
        .arg(&run)
        .arg(&run)
        .arg("--out")
        .arg(&merged)
        .succeed();
    assert!(std::fs::read_to_string(merged).unwrap().contains("<svg"));
}

#[test]
fn training_brings_the_views_together() {
    let folder = folder();
    let run = folder.path().join("run");
    // Long enough that the bound has room on every machine: seed and order of sums move the loss after sixteen epochs from
    // 13 to 22, after these to 6.5 to 7.5. 32 is the loss of embeddings without information.
    smoke(&run).args(["--epochs", "32", "--set", "eval.every=0"]).succeed();
    let loss = summary(&run)["loss"].as_f64().unwrap();
    assert!((0.0..20.0).contains(&loss), "{loss}");
}

#[test]
fn the_same_command_gives_the_same_bytes_with_any_number_of_workers() {
    let folder = folder();
    let first = folder.path().join("0");
    smoke(&first).args(["--workers", "0"]).succeed();
    for workers in ["1", "2", "3"] {
        let other = folder.path().join(workers);
        smoke(&other).args(["--workers", workers]).succeed();
        assert!(
            bytes(&first, "backbone.safetensors") == bytes(&other, "backbone.safetensors"),
            "the weights with {workers} workers differ from those with none"
        );
    }
    let third = folder.path().join("third");
    smoke(&third).args(["--seed", "1"]).succeed();
    assert!(
        bytes(&first, "backbone.safetensors") != bytes(&third, "backbone.safetensors"),
        "the seed has no effect"
    );
}

#[test]
fn a_profile_tells_of_every_phase_and_changes_no_byte() {
    let folder = folder();
    let (plain, profiled) = (folder.path().join("plain"), folder.path().join("profiled"));
    let silent = smoke(&plain).succeed();
    assert!(!silent.stderr.contains("data wait"), "{}", silent.stderr);
    let told = smoke(&profiled).args(["pretrain", "--profile"]).succeed();
    assert!(
        bytes(&plain, "backbone.safetensors") == bytes(&profiled, "backbone.safetensors"),
        "the weights differ"
    );
    assert!(!told.stdout.contains("data wait"), "{}", told.stdout);
    // A requested profile is printed even with --quiet.
    assert!(told.stderr.contains("profile of 12 steps"), "{}", told.stderr);
    let percent = |name: &str| -> f64 {
        let mut lines = told.stderr.lines();
        let row = lines.find_map(|line| line.trim().strip_prefix(name));
        let row = row.unwrap_or_else(|| panic!("{name} is missing: {}", told.stderr));
        let last = row.split_whitespace().last().expect("three numbers");
        last.parse().expect("a number")
    };
    let phases = [
        "data wait",
        "host to device",
        "forward (all views)",
        "loss",
        "backward",
        "optimiser",
        "monitors",
    ];
    let shares = phases.map(percent);
    assert!(shares.iter().all(|share| *share >= 0.0), "{shares:?}");
    // Each was rounded to a tenth.
    let sum: f64 = shares.iter().sum();
    assert!((sum - 100.0).abs() < 0.05 * shares.len() as f64 + 1e-9, "{shares:?}");
    assert_eq!(percent("sum"), 100.0);
}

#[test]
fn a_resumed_run_ends_like_one_that_was_never_stopped() {
    let folder = folder();
    let (whole, stopped) = (folder.path().join("whole"), folder.path().join("stopped"));
    smoke(&whole).succeed();
    smoke(&stopped).succeed();
    common::resume_after_first_epoch(&stopped);
    assert!(
        bytes(&whole, "backbone.safetensors") == bytes(&stopped, "backbone.safetensors"),
        "the weights differ"
    );
    let (whole_summary, stopped_summary) = (summary(&whole), summary(&stopped));
    for key in ["knn_top1", "linear_top1", "untrained_linear_top1", "loss", "steps"] {
        assert_eq!(whole_summary[key], stopped_summary[key], "{key}");
    }
    let steps = |run: &Path| -> Vec<(Value, Value)> {
        let lines = metrics(run).into_iter();
        lines.map(|line| (line["step"].clone(), line["loss"].clone())).collect()
    };
    assert_eq!(steps(&whole), steps(&stopped), "no step is logged twice");
    // Resuming a finished run does nothing and reports it.
    let again = Program::new()
        .args(["--resume", "--backend", "cpu", "--out"])
        .arg(&stopped)
        .succeed();
    assert!(again.stderr.contains("already finished"), "{}", again.stderr);
}

#[test]
fn a_batch_that_does_not_fit_is_computed_in_micro_batches() {
    let folder = folder();
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    smoke(&whole).succeed();
    smoke(&parts).args(["--set", "train.micro_batch=64"]).succeed();
    let first = |run: &Path| metrics(run)[0]["loss"].as_f64().unwrap();
    let (whole_loss, parts_loss) = (first(&whole), first(&parts));
    assert!(
        (whole_loss - parts_loss).abs() < 0.2 * whole_loss,
        "{whole_loss} and {parts_loss}"
    );
    // Batch norm saw other batches.
    assert_ne!(whole_loss, parts_loss);
    let weights = bytes(&parts, "backbone.safetensors");
    assert!(weights != bytes(&whole, "backbone.safetensors"));
    let weights = safetensors::SafeTensors::deserialize(&weights).unwrap();
    let batches = weights.tensor("bn1.num_batches_tracked").unwrap();
    assert_eq!(
        batches.data(),
        96i64.to_le_bytes(),
        "four batches of each view per step"
    );
}

#[test]
fn what_is_missing_of_a_finished_run_is_made_again_and_told_once() {
    let folder = folder();
    let run = folder.path().join("run");
    smoke(&run).succeed();
    let (summary_before, metrics) = (summary(&run), bytes(&run, "metrics.jsonl"));
    std::fs::remove_file(run.join("summary.json")).unwrap();
    smoke(&run).arg("--resume").succeed();
    assert_eq!(summary(&run)["linear_top1"], summary_before["linear_top1"]);
    assert!(
        bytes(&run, "metrics.jsonl") == metrics,
        "the last evaluation is in the log once"
    );
}
