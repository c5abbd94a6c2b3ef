//! Evaluations of a run: what they measure, what they cost, how they are interrupted and continued.

use crate::common;

use common::{Program, bytes, folder, metrics, refused, smoke, summary};
use serde_json::Value;
use std::path::Path;

/// A result without its wall time.
fn result(run: &Path, name: &str) -> Value {
    let mut result: Value = serde_json::from_slice(&bytes(run, &format!("eval/{name}.json"))).expect("JSON");
    let fields = result.as_object_mut().expect("an object");
    assert!(fields.remove("seconds").is_some_and(|seconds| seconds.is_f64()));
    result
}

fn linear(run: &Path) -> Program {
    Program::new()
        .args([
            "linear",
            "--backend",
            "cpu",
            "--quiet",
            "--protocol",
            "sgd",
            "--batch-size",
            "128",
            "--from",
        ])
        .arg(run)
}

#[test]
fn a_run_measures_what_its_config_says() {
    let folder = folder();
    let run = folder.path().join("run");
    let keys = ["eval.untrained=false", "eval.linear=off", "eval.knn_images=100"];
    let said = Program::new()
        .args(["--config", "smoke", "--backend", "cpu", "--epochs", "1", "--out"])
        .arg(&run)
        .args(keys.into_iter().flat_map(|key| ["--set", key]))
        .succeed();
    assert!(said.stderr.contains("kNN votes among 100 of"), "{}", said.stderr);
    let summary = summary(&run);
    assert!(summary["knn_top1"].is_f64(), "{summary}");
    for absent in ["linear_top1", "untrained_knn_top1", "untrained_linear_top1"] {
        assert!(summary[absent].is_null(), "{absent}: {summary}");
    }
    // A stratified part of the images votes as all of them do, or nearly.
    let knn = Program::new()
        .args(["knn", "--backend", "cpu", "--from"])
        .arg(&run)
        .succeed();
    assert!(knn.stdout.contains("also      k 1 "), "{}", knn.stdout);
    let all = Program::new()
        .args([
            "knn",
            "--backend",
            "cpu",
            "--metric",
            "euclidean",
            "--set",
            "eval.knn_images=0",
            "--from",
        ])
        .arg(&run)
        .succeed();
    assert!(all.stdout.starts_with("kNN top-1 "), "{}", all.stdout);
    let found = result(&run, "knn");
    assert_eq!(found["metric"], "euclidean");
    assert!(found["scores"].as_array().unwrap().len() > 3);
    assert!(metrics(&run).iter().any(|line| line["knn_top1"].is_f64()));
}

#[test]
fn the_official_linear_protocol_is_the_same_whether_it_is_interrupted_or_not() {
    let folder = folder();
    let run = folder.path().join("run");
    smoke("cpu", &run).args(["--epochs", "1"]).succeed();
    let network = bytes(&run, "backbone.safetensors");
    let settings = ["--epochs", "12", "--rates", "0.1,0.3", "--weight-decays", "1e-6"];
    let said = linear(&run).args(settings).succeed();
    assert_eq!(said.stdout.lines().count(), 2, "a line a rate: {}", said.stdout);
    let whole = result(&run, "linear-sgd");
    let classifiers = whole["classifiers"].as_array().unwrap();
    assert_eq!(classifiers.len(), 2);
    for classifier in classifiers {
        let epochs = classifier["epochs"].as_array().unwrap();
        assert_eq!(epochs.len(), 12);
        let loss = |epoch: usize| epochs[epoch]["loss"].as_f64().unwrap();
        assert!(loss(11) < loss(0), "{epochs:?}");
    }
    // Ten classes, and features of a network that has hardly been trained.
    assert!(whole["linear_top1"].as_f64().unwrap() > 0.12, "{whole}");
    assert_eq!(bytes(&run, "backbone.safetensors"), network, "the network is frozen");

    #[cfg(unix)]
    {
        std::fs::remove_file(run.join("eval/linear-sgd.json")).unwrap();
        let state = run.join("eval/linear-sgd-0.state.safetensors");
        let mut running = linear(&run).args(settings).spawn();
        while !state.exists() && !running.has_ended() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        if !running.has_ended() {
            running.signal("INT");
        }
        let output = running.finish();
        // On a fast machine it may have come to its end.
        if output.code != 0 {
            assert_eq!(output.code, 130, "{}", output.stderr);
            assert!(state.exists(), "what was computed is kept");
            linear(&run).args(settings).succeed();
        }
        assert!(!state.exists());
        assert_eq!(result(&run, "linear-sgd"), whole);
    }
}

#[test]
fn a_part_of_the_labels_trains_the_network_and_a_finished_one_is_read() {
    let folder = folder();
    let run = folder.path().join("run");
    smoke("cpu", &run).args(["--epochs", "1"]).succeed();
    let tune = || {
        Program::new()
            .args([
                "finetune",
                "--backend",
                "cpu",
                "--quiet",
                "--fraction",
                "0.1",
                "--baseline",
            ])
            .args([
                "--epochs",
                "2",
                "--batch-size",
                "32",
                "--seeds",
                "0,1",
                "--rate",
                "0.1",
                "--from",
            ])
            .arg(&run)
    };
    let said = tune().succeed();
    let lines: Vec<&str> = said
        .stdout
        .lines()
        .filter(|line| line.contains("of the labels"))
        .collect();
    assert_eq!(lines.len(), 2, "{}", said.stdout);
    assert!(
        lines[0].starts_with("pre-trained") && lines[1].starts_with("from-scratch"),
        "{lines:?}"
    );
    assert!(lines[0].contains("over 2 seeds"), "{lines:?}");
    let found = result(&run, "finetune");
    let arms = found["arms"].as_array().unwrap();
    for arm in arms {
        let images = arm["labelled_images"].as_u64().unwrap();
        assert!((150..190).contains(&images), "a tenth of 1,662: {arm}");
        assert_eq!(arm["seeds"].as_array().unwrap().len(), 2);
        assert!((0.0..=1.0).contains(&arm["top1"].as_f64().unwrap()));
    }
    let below = run.join("finetune/0.1-pre-trained-1");
    assert_eq!(summary(&below)["method"], "supervised");
    // Again: nothing is trained, the result is the same.
    let log = bytes(&below, "metrics.jsonl");
    tune().succeed();
    assert_eq!(result(&run, "finetune"), found);
    assert_eq!(bytes(&below, "metrics.jsonl"), log);
    // Named images.
    let names = folder.path().join("names.txt");
    std::fs::write(&names, "no-such-image.png\n").unwrap();
    let output = Program::new()
        .args(["finetune", "--backend", "cpu", "--list"])
        .arg(&names)
        .arg("--from")
        .arg(&run)
        .run();
    refused(&output, &["data.train_names", "no-such-image.png"]);
}

#[test]
fn wrong_settings_are_refused_before_anything_is_computed() {
    let folder = folder();
    let run = folder.path().join("run");
    smoke("cpu", &run).args(["--epochs", "1"]).succeed();
    let command = |args: &[&str]| Program::new().args(args).arg("--from").arg(&run).run();
    refused(&command(&["linear", "--rates", "0.1"]), &["--protocol sgd"]);
    refused(
        &command(&["linear", "--protocol", "sgd", "--l2", "1"]),
        &["--weight-decays"],
    );
    refused(&command(&["linear", "--protocol", "sgd", "--rates=-1"]), &["--rates"]);
    refused(&command(&["linear", "--l2", "never"]), &["--l2"]);
    refused(&command(&["linear", "--epochs", "3"]), &["--epochs"]);
    refused(&command(&["finetune", "--fraction", "2"]), &["--fraction 2"]);
    refused(&command(&["finetune", "--rate", "0"]), &["--rate"]);
    let supervised = Program::new()
        .args([
            "--config",
            "smoke",
            "--backend",
            "cpu",
            "--set",
            "method.kind=supervised",
            "--out",
        ])
        .arg(folder.path().join("wrong"))
        .run();
    refused(
        &supervised,
        &["an output for each of the 10 classes", "model.projector"],
    );
}

#[test]
fn seeds_runs_and_untrained_networks_are_averaged() {
    let folder = folder();
    let runs = ["a", "b"].map(|name| folder.path().join(name));
    for (run, seed) in runs.iter().zip(["0", "1"]) {
        smoke("cpu", run).args(["--epochs", "1", "--seed", seed]).succeed();
    }
    let both = |args: &[&str]| {
        let program = Program::new()
            .args(args)
            .args(["--backend", "cpu", "--quiet", "--from"]);
        program.arg(&runs[0]).arg(&runs[1])
    };
    let said = both(&["knn", "--untrained", "--seeds", "0,1"]).succeed();
    assert!(
        said.stdout.contains("(untrained)") && said.stdout.contains("(2 runs)"),
        "{}",
        said.stdout
    );
    let (first, second) = (result(&runs[0], "knn"), result(&runs[1], "knn"));
    let top1 = |result: &Value| result["knn_top1"].as_f64().unwrap();
    let together: Value = serde_json::from_slice(&bytes(&runs[0], "eval/knn-runs.json")).expect("JSON");
    assert!(
        (top1(&together) - (top1(&first) + top1(&second)) / 2.0).abs() < 1e-9,
        "{together}"
    );
    assert!(together["knn_top1_std"].is_f64() && together["runs"].as_array().unwrap().len() == 2);
    // The untrained networks are those from which the runs started.
    let untrained = first["untrained"]["seeds"].as_array().unwrap();
    assert_eq!(untrained.len(), 2);
    for (seed, run) in untrained.iter().zip(&runs) {
        let start = summary(run)["untrained_knn_top1"].as_f64().unwrap();
        assert!((top1(seed) - start).abs() < 1e-9, "{seed} and {start}");
    }
    for field in ["data", "network", "device", "version", "pixels", "images"] {
        assert!(!first[field].is_null(), "{field}: {first}");
    }
    let said = both(&["linear", "--protocol", "sgd", "--epochs", "2", "--seeds", "0,1"]).succeed();
    assert!(
        said.stdout.contains(" ± ") && said.stdout.contains(" over 2"),
        "{}",
        said.stdout
    );
    let found = result(&runs[1], "linear-sgd");
    assert_eq!(found["seeds"].as_array().unwrap().len(), 2, "{found}");

    refused(&both(&["knn", "--seeds", "0,1"]).run(), &["--untrained"]);
    refused(
        &both(&["linear", "--protocol", "sgd", "--seeds", "1,1"]).run(),
        &["--seeds names 1 twice"],
    );
    let other_width = both(&["knn", "--set", "model.width=16"]).run();
    assert_eq!(other_width.code, 1, "{}", other_width.stderr);
    assert!(
        other_width.stderr.contains("the weights do not fit the model"),
        "{}",
        other_width.stderr
    );
    assert_eq!(result(&runs[0], "knn"), first, "no result is lost");
}

#[test]
fn features_transfer_by_every_task() {
    let folder = folder();
    let run = folder.path().join("run");
    smoke("cpu", &run)
        .args([
            "--epochs",
            "1",
            "--set",
            "eval.linear=sgd",
            "--set",
            "eval.linear_epochs=1",
        ])
        .succeed();
    assert_eq!(summary(&run)["linear_protocol"], "sgd");
    assert!(summary(&run)["linear_top1"].is_f64());
    let transfer = |args: &[&str]| {
        let program = Program::new().args(["transfer", "--backend", "cpu", "--quiet"]);
        program.args(args).arg("--from").arg(&run)
    };
    let said = transfer(&["--task", "head", "--epochs", "2", "--features", "avgpool,2x2"]).succeed();
    assert!(said.stdout.contains("features 2x2"), "{}", said.stdout);
    let name = |name: &str| {
        let entries = std::fs::read_dir(run.join("eval")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let found: Vec<String> = names.filter(|file| file.starts_with(name)).collect();
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        found[0].strip_suffix(".json").unwrap().to_owned()
    };
    let head = result(&run, &name("transfer-head-2x2"));
    assert_eq!(head["settings"]["layer"], "2x2", "{head}");
    transfer(&["--resize", "squash"]).succeed();
    let linear = result(&run, &name("transfer-linear-squash"));
    assert_eq!(linear["resized"], "squash");
    refused(&transfer(&["--epochs", "3"]).run(), &["--task head"]);
    refused(
        &transfer(&["--task", "head", "--resize", "squash"]).run(),
        &["--resize squash"],
    );
}
