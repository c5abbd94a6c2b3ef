//! What a person can get wrong: each row is one clear line on standard error, the right exit code, and nothing written.

mod common;

use common::{Program, folder};

/// Arguments, exit code, and what the line must say.
const ROWS: &[(&[&str], i32, &[&str])] = &[
    (&["--data", "no/such/folder"], 2, &["no/such/folder"]),
    (
        &["--config", "no-such-recipe"],
        2,
        &["no-such-recipe", "sign-digits", "smoke"],
    ),
    (&["--config", "smok"], 2, &["did you mean `smoke`"]),
    (&["--config", "no/such/file.toml"], 2, &["no/such/file.toml"]),
    (
        &["--set", "train.epoch=3"],
        2,
        &["train.epoch", "did you mean `train.epochs`"],
    ),
    (&["--set", "tran.epochs=3"], 2, &["tran", "did you mean `train`"]),
    (
        &["--set", "model.backbone=resnet19"],
        2,
        &["model.backbone", "resnet19", "did you mean", "resnet18"],
    ),
    (&["--set", "train.epochs=many"], 2, &["train.epochs", "invalid type"]),
    (&["--set", "train.epochs"], 2, &["KEY=VALUE"]),
    (&["--set", "loss.lambda=-1"], 2, &["lambda", "-1"]),
    (&["--set", "loss.lambda=nan"], 2, &["lambda", "NaN"]),
    (
        &["--set", "optimizer.learning_rate_weights=inf"],
        2,
        &["optimizer.learning_rate_weights", "inf"],
    ),
    (&["--set", "model.projector=512-x"], 2, &["model.projector", "512-x"]),
    (&["--set", "model.projector=512-0"], 2, &["model.projector", "512-0"]),
    (&["--set", "views.a.flip=1.5"], 2, &["views.a.flip", "1.5"]),
    (&["--set", "data.normalize=cifar"], 2, &["data.normalize", "imagenet"]),
    (&["--batch-size", "1"], 2, &["train.batch_size", "at least 2"]),
    (&["--batch-size", "5000"], 2, &["5000", "1662"]),
    (&["--epochs", "0"], 2, &["train.epochs", "at least 1"]),
    (&["--threads", "0"], 2, &["--threads 0"]),
    (
        &["--backend", "cpu", "--device", "9"],
        2,
        &["--device 9", "1 device(s)"],
    ),
    (&["--resume"], 2, &["nothing to resume"]),
    (&["knn", "--from", "no/such/run"], 2, &["no/such/run"]),
    (&["knn", "--from", "no/such/run", "--dry-run"], 2, &["--dry-run"]),
    (&["--set", "eval.resize=100000"], 2, &["100000"]),
    (&["report", "no/such/run"], 2, &["no/such/run"]),
    (&["views", "--image", "README.md"], 2, &["README.md"]),
];

#[test]
fn every_mistake_is_one_clear_line() {
    let folder = folder();
    for (args, code, says) in ROWS {
        let out = folder.path().join("run");
        // Not in the repository: the shipped images are found beside the sources all the same.
        let mut program = Program::new().args(*args).arg("--out").arg(&out).folder(folder.path());
        if !args.contains(&"--backend") {
            // Looking for graphics drivers may make a driver talk on standard error.
            program = program.args(["--backend", "cpu"]);
        }
        let output = program.run();
        let shown = format!("{args:?} ended {}: {}", output.code, output.stderr);
        assert_eq!(output.code, *code, "{shown}");
        assert_eq!(output.stderr.trim_end().lines().count(), 1, "one line: {shown}");
        assert!(output.stderr.starts_with("error: "), "{shown}");
        for part in *says {
            assert!(output.stderr.contains(part), "{part:?} is missing: {shown}");
        }
        assert!(output.stdout.is_empty(), "{shown}");
        assert!(!out.exists(), "something was written: {shown}");
    }
}

#[test]
fn a_bare_resume_looks_below_runs() {
    let folder = folder();
    let nothing = Program::new().arg("--resume").folder(folder.path()).run();
    assert_eq!(
        (nothing.code, nothing.stderr.contains("nothing to resume")),
        (2, true),
        "{}",
        nothing.stderr
    );
    let started = Program::new()
        .args(["--config", "smoke", "--backend", "cpu", "--quiet"])
        .folder(folder.path());
    started.succeed();
    let again = Program::new()
        .args(["--resume", "--backend", "cpu"])
        .folder(folder.path())
        .succeed();
    assert!(
        again.stderr.contains("smoke-") && again.stderr.contains("finished already"),
        "{}",
        again.stderr
    );
}

#[test]
fn a_folder_that_holds_a_run_or_other_files_is_left_alone() {
    let folder = folder();
    std::fs::write(folder.path().join("config.toml"), "mine").unwrap();
    let taken = Program::new()
        .args(["--config", "smoke", "--backend", "cpu", "--out"])
        .arg(folder.path())
        .run();
    assert_eq!(
        (taken.code, taken.stderr.contains("--resume")),
        (2, true),
        "{}",
        taken.stderr
    );
    assert_eq!(
        std::fs::read_to_string(folder.path().join("config.toml")).unwrap(),
        "mine"
    );

    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let unwritable = Program::new()
        .args(["--config", "smoke", "--backend", "cpu", "--out"])
        .arg(file.join("run"))
        .run();
    assert_eq!(
        (unwritable.code, unwritable.stderr.contains("--out")),
        (2, true),
        "{}",
        unwritable.stderr
    );
}

#[test]
fn usage_errors_of_the_command_line_exit_2_and_help_exits_0() {
    assert_eq!(Program::new().arg("--no-such-flag").run().code, 2);
    assert_eq!(Program::new().args(["--backend", "tpu"]).run().code, 2);
    let help = Program::new().arg("--help").succeed();
    for flag in [
        "--backend",
        "--config",
        "--set",
        "--data",
        "--out",
        "--resume",
        "--dry-run",
    ] {
        assert!(help.stdout.contains(flag), "{flag}");
    }
}

#[test]
fn a_dry_run_says_everything_and_writes_nothing() {
    let folder = folder();
    let out = folder.path().join("run");
    let output = Program::new()
        .args(["--dry-run", "--backend", "cpu", "--out"])
        .arg(&out)
        .succeed();
    for part in [
        "backend",
        "1662",
        "parameters",
        "peak rates",
        "cannot fall below",
        "[optimizer]",
    ] {
        assert!(output.stdout.contains(part), "{part:?}: {}", output.stdout);
    }
    assert!(!out.exists());
}

#[test]
fn flags_may_stand_before_and_after_the_command() {
    let before = Program::new()
        .args(["--backend", "cpu", "knn", "--from", "no/such/run"])
        .run();
    let after = Program::new()
        .args(["knn", "--from", "no/such/run", "--backend", "cpu"])
        .run();
    assert_eq!((before.code, after.code), (2, 2));
    assert_eq!(before.stderr, after.stderr);
}
