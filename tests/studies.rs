//! Studies: cells and seeds as runs of their own, killed and continued, with a table of all.

use crate::common;

use common::{Program, bytes, folder, refused, told};
use serde_json::Value;
use std::path::Path;

/// A grid of two cells, one of which starts from other widths, over the smoke recipe.
const GRID: &str = "recipe = \"smoke\"\nseeds = [0, 1]\nset = { train.epochs = 1 }\nbaseline = \"narrow\"\n\
                    [[cells]]\nname = \"narrow\"\n\
                    [[cells]]\nname = \"wide\"\nset = { model.projector = \"32-32-64\" }\npaper = 71.4\n";

fn study(grid: &Path, out: &Path) -> Program {
    let program = Program::new().arg("study").arg(grid).arg("--out").arg(out);
    program.args(["--backend", "cpu"])
}

fn json(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&bytes(folder, name)).expect("JSON")
}

#[cfg(unix)]
#[test]
fn a_killed_study_continues_where_it_was_and_ends_with_a_table() {
    let folder = folder();
    let (grid, out) = (folder.path().join("grid.toml"), folder.path().join("study"));
    std::fs::write(&grid, GRID).unwrap();
    let mut first = study(&grid, &out).spawn();
    first.wait_for(&out.join("narrow/seed-0/summary.json"), |text| !text.is_empty());
    first.signal("KILL");
    drop(first);
    // The run in progress notices that the study is gone, and stops after a checkpoint.
    let done = std::fs::metadata(out.join("narrow/seed-0/summary.json"))
        .unwrap()
        .modified()
        .unwrap();
    let output = study(&grid, &out).succeed();
    assert_eq!(
        std::fs::metadata(out.join("narrow/seed-0/summary.json"))
            .unwrap()
            .modified()
            .unwrap(),
        done,
        "a finished run is not repeated"
    );
    assert!(
        output.stdout.contains("narrow") && output.stdout.contains("±"),
        "{}",
        output.stdout
    );
    let study_json = json(&out, "study.json");
    assert_eq!(study_json["complete"], true);
    let wide = &study_json["cells"][1];
    assert_eq!(
        (wide["runs"].as_array().unwrap().len(), &wide["linear_top1"]["count"]),
        (2, &Value::from(2))
    );
    assert!(wide["difference"]["std"].is_number(), "{wide}");
    for (cell, seed) in [("narrow", 0), ("narrow", 1), ("wide", 0), ("wide", 1)] {
        let run = out.join(format!("{cell}/seed-{seed}"));
        let summary = common::summary(&run);
        assert_eq!(summary["seed"], seed);
        assert!(told(&run) > 0);
        // Cells with the same backbone and seed share the untrained evaluation.
        let other = common::summary(&out.join(format!("narrow/seed-{seed}")));
        assert_eq!(summary["untrained_linear_top1"], other["untrained_linear_top1"]);
    }
    assert_eq!(std::fs::read_dir(out.join("untrained")).unwrap().count(), 2);
    let csv = String::from_utf8(bytes(&out, "study.csv")).unwrap();
    assert_eq!(csv.lines().count(), 5, "{csv}");
    assert!(
        String::from_utf8(bytes(&out, "figures/ours.svg"))
            .unwrap()
            .starts_with("<svg")
    );
    assert!(String::from_utf8(bytes(&out, "report.html")).unwrap().contains("71.4"));
    // Another config is refused before anything is run.
    refused(
        &study(&grid, &out).args(["--batch-size", "128"]).run(),
        &["train.batch_size 256 -> 128", "--out"],
    );
    refused(
        &study(&grid, &out).args(["--set", "model.projector=8"]).run(),
        &["model.projector is what the study"],
    );
}

#[test]
fn a_failed_run_is_reported_and_the_others_are_run() {
    let folder = folder();
    let (grid, out) = (folder.path().join("grid.toml"), folder.path().join("study"));
    let cells = "recipe = \"smoke\"\nseeds = [0]\nset = { train.epochs = 1, eval.untrained = false }\n\
                 [[cells]]\nname = \"broken\"\nset = { train.batch_size = 100000 }\n[[cells]]\nname = \"good\"\n";
    std::fs::write(&grid, cells).unwrap();
    let output = study(&grid, &out).args(["--jobs", "2", "--quiet"]).run();
    assert_eq!(output.code, 1, "{}", output.stderr);
    for text in [&output.stdout, &output.stderr] {
        assert!(
            text.contains("there are only") && text.contains("--batch-size"),
            "{text}"
        );
    }
    assert!(output.stderr.contains("1 of 2 runs failed"), "{}", output.stderr);
    let study_json = json(&out, "study.json");
    assert_eq!(study_json["cells"][0]["runs"][0]["state"], "failed");
    assert_eq!(study_json["cells"][1]["runs"][0]["state"], "done");
}

#[test]
fn seeds_of_a_recipe_have_a_mean() {
    let folder = folder();
    let out = folder.path().join("run");
    let seeds = |more: &[&str]| {
        let command = Program::new().args(["--config", "smoke", "--backend", "cpu", "--epochs", "1"]);
        command
            .args(["pretrain", "--seeds", "3,4", "--out"])
            .arg(&out)
            .args(more)
    };
    let plan = seeds(&["--dry-run"]).succeed().stdout;
    assert!(
        plan.contains("1 cells x 2 seeds") && plan.contains("expected: some"),
        "{plan}"
    );
    assert!(!out.exists(), "a dry run writes nothing");
    let output = seeds(&[]).succeed();
    assert!(output.stdout.contains("±"), "{}", output.stdout);
    let result = json(&out, "seeds.json");
    assert_eq!(result["seeds"], serde_json::json!([3, 4]));
    assert!(
        result["cells"][0]["readings"]["invariance"]["std"].is_number(),
        "{result}"
    );
    assert!(out.join("seed-3/summary.json").exists() && out.join("seed-4/summary.json").exists());
    refused(&seeds(&["--profile"]).run(), &["--profile does nothing with --seeds"]);
    refused(&seeds(&["--jobs", "0"]).run(), &["--jobs"]);
}
