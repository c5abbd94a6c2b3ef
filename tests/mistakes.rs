//! What a person can get wrong: each row is one clear line on standard error, the right exit code, and nothing written.

mod common;

use common::{Program, fixtures, folder, left_out, smoke, summary};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Arguments, exit code, and what the line must say. Run in a folder with the [`fixtures`] and a finished run `earlier`.
const ROWS: &[(&[&str], i32, &[&str])] = &[
    // Data.
    (&["--data", "no/such/folder"], 2, &["no/such/folder", "pass a folder"]),
    (&["--data", "sets/empty"], 2, &["sets/empty holds no images", "jpg"]),
    (&["--data", "sets/empty-class"], 2, &["train/zero holds no images"]),
    (
        &["--data", "sets/truncated"],
        2,
        &["half.jpg", "data.bad_images", "skip"],
    ),
    (&["--data", "sets/text"], 2, &["notes.jpg", "data.bad_images", "skip"]),
    (
        &["knn", "--from", "earlier", "--data", "sets/one-class"],
        2,
        &["sets/one-class", "one class only (zero)"],
    ),
    (
        &["linear", "--from", "earlier", "--data", "sets/flat"],
        2,
        &["sets/flat", "no labelled"],
    ),
    // The config.
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
    (
        &["--set", "train.batch_size=1.5"],
        2,
        &["train.batch_size", "invalid type"],
    ),
    (&["--set", "train.batch_size=-8"], 2, &["train.batch_size", "-8"]),
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
    (&["--set", "model.projector=0"], 2, &["model.projector", "\"0\""]),
    (
        &["--set", "model.projector=true"],
        2,
        &["model.projector", "expected layer widths"],
    ),
    (&["--set", "views.a.flip=1.5"], 2, &["views.a.flip", "1.5"]),
    (&["--set", "data.normalize=cifar"], 2, &["data.normalize", "imagenet"]),
    (
        &["--set", "data.bad_images=skp"],
        2,
        &["data.bad_images", "did you mean `skip`"],
    ),
    (&["--set", "eval.resize=100000"], 2, &["100000"]),
    (
        &["--set", "data.queue=1000000000"],
        2,
        &["data.queue", "1000000000", "at most 1024"],
    ),
    (&["--set", "model.width=1000000000"], 2, &["model.width", "at most"]),
    (
        &["--set", "model.width=20000", "--set", "views.size=1024"],
        2,
        &["of memory", "this machine has", "--batch-size"],
    ),
    (&["--set", "views.size=16384"], 2, &["views.size", "at most 4096"]),
    (&["--workers", "100000"], 2, &["data.workers", "at most 1024"]),
    (&["--batch-size", "1"], 2, &["train.batch_size", "at least 2"]),
    (&["--batch-size", "5000"], 2, &["5000", "1662"]),
    (&["--epochs", "0"], 2, &["train.epochs", "at least 1"]),
    (
        &["--epochs", "3074457345618258603"],
        2,
        &["train.epochs", "at most 1000000"],
    ),
    // The run.
    (&["--out", "earlier"], 2, &["earlier already holds a run", "--resume"]),
    (&["--out", "sets"], 2, &["sets is not empty"]),
    (&["--out", "earlier/config.toml/run"], 2, &["--out", "cannot write"]),
    (&["--out", "/proc/run"], 2, &["--out", "cannot write", "/proc/run"]),
    (&["--resume"], 2, &["nothing to resume"]),
    (
        &["--resume", "--out", "sets/good"],
        2,
        &["nothing to resume", "sets/good"],
    ),
    (
        &["--resume", "--out", "earlier", "--set", "loss.lambda=0.5"],
        2,
        &["earlier", "differs"],
    ),
    (&["knn", "--from", "no/such/run"], 2, &["no/such/run"]),
    (
        &["knn", "--from", "no/such/run", "--dry-run"],
        2,
        &["--dry-run does nothing with knn"],
    ),
    (
        &["linear", "--from", "earlier", "--epochs", "7"],
        2,
        &["--epochs does nothing with linear"],
    ),
    (&["knn", "--from", ""], 2, &["--from <RUN>"]),
    (&["report", "no/such/run"], 2, &["no/such/run"]),
    (&["report", "earlier", "earlier"], 2, &["--out FILE.html"]),
    (&["views", "--image", "sets/empty/notes.txt"], 2, &["notes.txt"]),
    // The machine.
    (&["--threads", "0"], 2, &["--threads 0"]),
    (&["--threads", "100000"], 2, &["--threads 100000", "at most 1024"]),
    (
        &["--backend", "cpu", "--device", "9"],
        2,
        &["--device 9", "1 device(s)"],
    ),
    // The command line itself.
    (&["--epoch", "3"], 2, &["'--epoch'", "'--epochs'", "--help"]),
    (&["--epochs", "many"], 2, &["'many'", "--epochs"]),
    (&["--backend", "tpu"], 2, &["'tpu'", "auto, cuda, wgpu, cpu"]),
    (&["lineal", "--from", "earlier"], 2, &["'lineal'", "'linear'"]),
    (&["linear"], 2, &["--from <RUN>"]),
];

#[test]
fn every_mistake_is_one_clear_line_and_touches_nothing() {
    let folder = folder();
    fixtures::sets(folder.path());
    let earlier = folder.path().join("earlier");
    smoke("cpu", &earlier).args(["--epochs", "1"]).succeed();
    let before = files(folder.path());
    for (args, code, says) in ROWS {
        // Not in the repository: the shipped images are found beside the sources all the same.
        let mut program = Program::new().args(*args).folder(folder.path());
        // Flags that a command does not read are refused, so only a run gets these.
        let trains = args[0].starts_with("--");
        if trains && !args.contains(&"--out") && *args != ["--resume"] {
            program = program.args(["--out", "run"]);
        }
        if trains && !args.contains(&"--backend") {
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
        let after = files(folder.path());
        let changed: Vec<_> = after.iter().filter(|file| before.get(file.0) != Some(file.1)).collect();
        assert!(
            changed.is_empty() && before.len() == after.len(),
            "files changed: {shown}"
        );
    }
}

/// Every file below a folder with a checksum of its content.
fn files(folder: &Path) -> BTreeMap<PathBuf, u64> {
    use std::hash::{DefaultHasher, Hasher};
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let mut hasher = DefaultHasher::new();
            if path.is_dir() {
                folders.push(path.clone());
            } else {
                hasher.write(&std::fs::read(&path).unwrap());
            }
            files.insert(path, hasher.finish());
        }
    }
    files
}

/// A run of a few steps on one of the fixtures.
fn few_steps(folder: &Path, set: &str) -> Program {
    smoke("cpu", &folder.join("run"))
        .args(["--epochs", "1", "--batch-size", "8", "--data", set])
        .folder(folder)
}

#[test]
fn bad_images_are_skipped_and_counted_where_the_config_says_so() {
    for (set, file) in [("sets/truncated", "half.jpg"), ("sets/text", "notes.jpg")] {
        let folder = folder();
        fixtures::sets(folder.path());
        let output = few_steps(folder.path(), set)
            .args(["--set", "data.bad_images=skip"])
            .succeed();
        let warnings: Vec<&str> = output.stderr.lines().collect();
        assert_eq!(warnings.len(), 1, "{}", output.stderr);
        for part in ["warning: 1 image left out", file] {
            assert!(warnings[0].contains(part), "{part:?} is missing: {}", output.stderr);
        }
        assert_eq!(
            summary(&folder.path().join("run"))["steps"],
            3,
            "24 good images in batches of 8"
        );
    }
}

#[test]
fn one_class_trains_and_says_that_accuracy_is_not_measured() {
    let folder = folder();
    fixtures::sets(folder.path());
    let output = few_steps(folder.path(), "sets/one-class").succeed();
    assert_eq!(output.stderr.trim_end().lines().count(), 1, "{}", output.stderr);
    assert!(output.stderr.contains("one class only (zero)"), "{}", output.stderr);
    let summary = summary(&folder.path().join("run"));
    for key in [
        "knn_top1",
        "linear_top1",
        "linear_top5",
        "untrained_knn_top1",
        "untrained_linear_top1",
    ] {
        assert!(summary[key].is_null(), "{key}: {summary}");
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
fn help_names_every_flag_with_the_defaults_of_the_default_recipe() {
    let help = Program::new().arg("--help").succeed();
    let text = help.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let layers = barlow_train::config::Layers::default();
    let (_, config) = barlow_train::config::load(&layers).unwrap();
    let data = config.data.path.display().to_string();
    for (flag, default) in [
        ("--backend", "auto".to_owned()),
        ("--device", "0".to_owned()),
        ("--threads", "all cores".to_owned()),
        ("--config", "sign-digits".to_owned()),
        ("--data", format!("the recipe's; sign-digits: {data}")),
        ("--seed", format!("the recipe's; sign-digits: {}", config.run.seed)),
        (
            "--epochs",
            format!("the recipe's; sign-digits: {}", config.train.epochs),
        ),
        (
            "--batch-size",
            format!("the recipe's; sign-digits: {}", config.train.batch_size),
        ),
        ("--workers", "all cores".to_owned()),
        ("--out", "runs/CONFIG-TIME".to_owned()),
        ("--resume", "the newest one below runs/".to_owned()),
    ] {
        let (_, after) = text
            .split_once(&format!("{flag} "))
            .unwrap_or_else(|| panic!("{flag}: {text}"));
        let next = after
            .find("[default: ")
            .map(|start| &after[start..])
            .unwrap_or_default();
        assert!(next.starts_with(&format!("[default: {default}]")), "{flag}: {next}");
    }
    assert_eq!(Program::new().arg("--version").succeed().stderr, "");
}

#[test]
fn completions_know_the_flags_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = Program::new().args(["completions", shell]).succeed();
        assert!(output.stdout.contains("batch-size"), "{shell}: {}", output.stdout);
    }
    let bash = Program::new().args(["completions", "bash"]).succeed().stdout;
    let folder = folder();
    let script = folder.path().join("train.bash");
    std::fs::write(&script, bash).unwrap();
    // Completes `train --back` as bash would.
    let ask =
        "source \"$0\"; COMP_WORDS=(train --back); COMP_CWORD=1; _train train --back train; echo \"${COMPREPLY[*]}\"";
    let Ok(output) = std::process::Command::new("bash")
        .args(["-c", ask])
        .arg(&script)
        .output()
    else {
        left_out("no bash on this machine: its completions were generated and not run");
        return;
    };
    let words = String::from_utf8_lossy(&output.stdout);
    assert_eq!(words.trim(), "--backend", "{}", String::from_utf8_lossy(&output.stderr));
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
        "memory      at least",
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
