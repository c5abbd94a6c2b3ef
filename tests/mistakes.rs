//! User mistakes: each gives one clear line on standard error and the correct exit code, and writes nothing.

use crate::common;

use common::mistakes::ROWS;
use common::{Program, fixtures, folder, left_out, smoke, summary};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[test]
fn every_mistake_is_one_clear_line_and_touches_nothing() {
    let folder = folder();
    fixtures::sets(folder.path());
    let earlier = folder.path().join("earlier");
    smoke("cpu", &earlier).args(["--epochs", "1"]).succeed();
    let before = files(folder.path());
    for (args, code, says) in ROWS {
        // Not in the repository: the shipped images are still found next to the sources.
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
        for part in ["warning: 1 image skipped", file] {
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
        again.stderr.contains("smoke-") && again.stderr.contains("already finished"),
        "{}",
        again.stderr
    );
}

#[test]
fn help_names_every_flag_with_the_defaults_of_the_default_recipe() {
    let help = Program::new().arg("--help").succeed();
    let text = help.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let layers = barlow_engine::config::Layers::default();
    let (_, config) = barlow_engine::config::load(&layers).unwrap();
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
fn the_version_names_commit_backends_and_instructions() {
    let long = Program::new().args(["--version"]).succeed().stdout;
    let lines: Vec<&str> = long.lines().collect();
    assert_eq!(lines[0], format!("train {}", env!("CARGO_PKG_VERSION")), "{long}");
    let commit = lines[1].strip_prefix("commit: ").expect("the second line");
    let is_commit = commit.len() >= 12 && commit.chars().all(|letter| letter.is_ascii_hexdigit());
    assert!(is_commit || commit == "unknown", "{long}");
    assert_eq!(lines[2], "backends: cuda, wgpu, cpu", "{long}");
    assert!(lines[3].starts_with("cpu: ") && lines.len() == 4, "{long}");
    assert_eq!(Program::new().args(["-V"]).succeed().stdout.lines().count(), 1);
}

#[test]
fn the_manual_page_has_the_commands_and_their_flags() {
    let page = Program::new().args(["man"]).succeed().stdout;
    for part in [".TH train 1", "\\-\\-batch\\-size", "train-linear", "train-pretrain"] {
        assert!(page.contains(part), "{part}");
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
