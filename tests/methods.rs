//! Every method of the program, on the CPU: listed, planned, trained with a few steps, stopped and resumed to the same bytes.

use crate::common;

use common::{Program, bytes, folder, metrics, summary};
use serde_json::Value;
use std::path::Path;

fn methods() -> Vec<Value> {
    let output = Program::new().args(["methods", "--json"]).succeed();
    let lines = output.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// A run of the smoke recipe by a method, with smaller heads than for ImageNet.
fn smoke(method: &str, out: &Path) -> Program {
    common::smoke("cpu", out)
        .arg(format!("--set=method.kind={method}"))
        .args(small(method))
}

fn small(method: &str) -> &'static [&'static str] {
    match method {
        "byol" => &["--set=method.byol.predictor=64"],
        "dino" => &["--set=method.dino.prototypes=64", "--set=method.dino.small_views=2"],
        "moco-v2" => &["--set=method.moco-v2.queue=1024"],
        "moco-v3" => &["--set=method.moco-v3.predictor=64"],
        "simsiam" => &["--set=method.simsiam.predictor=64"],
        "sela" => &["--set=method.sela.heads=2", "--set=method.sela.relabellings=3"],
        "supervised" => &["--set=model.projector=10"],
        "swav" => &["--set=method.swav.prototypes=64", "--set=method.swav.small_views=2"],
        _ => &[],
    }
}

#[test]
fn the_list_says_what_each_method_is_made_of() {
    let methods = methods();
    let names: Vec<&str> = methods.iter().filter_map(|line| line["method"].as_str()).collect();
    assert_eq!(names[0], "barlow-twins");
    for line in &methods {
        for key in ["summary", "source", "keys"] {
            assert!(!line[key].as_str().unwrap().is_empty(), "{key}: {line}");
        }
        let views = line["spec"]["views"].as_array().unwrap();
        // Classification has one view, all others two or more.
        let classifies = ["supervised", "sela"].contains(&line["method"].as_str().unwrap());
        let fewest = if classifies { 1 } else { 2 };
        assert!(
            views.len() >= fewest && views[..fewest].iter().all(|view| view["size"] == 224),
            "{line}"
        );
        assert!(line["spec"]["heads"]["projector"].is_object(), "{line}");
        for recipe in line["recipes"].as_array().unwrap() {
            let recipe = recipe.as_str().unwrap();
            assert!(
                common::root().join(format!("configs/{recipe}.toml")).exists(),
                "{recipe}"
            );
        }
    }
    let text = Program::new().arg("methods").succeed().stdout;
    assert!(names.iter().all(|name| text.contains(name)), "{text}");
    let mistyped = Program::new()
        .args(["--set", "method.kind=barlow-twin", "--dry-run"])
        .run();
    common::refused(&mistyped, &["barlow-twin", "did you mean", "barlow-twins"]);
}

#[test]
fn each_method_ends_with_the_same_bytes_stopped_or_not() {
    let folder = folder();
    for line in methods() {
        let method = line["method"].as_str().unwrap();
        let plan = Program::new()
            .args(["--config", "smoke", "--backend", "cpu", "--dry-run"])
            .arg(format!("--set=method.kind={method}"))
            .args(small(method))
            .succeed();
        assert!(
            plan.stdout.contains(&format!("method      {method}: views")),
            "{}",
            plan.stdout
        );
        for micro_batch in [None, Some("64")] {
            let parts = micro_batch.map(|images| format!("--set=train.micro_batch={images}"));
            let [whole, stopped] = ["whole", "stopped"].map(|name| {
                folder
                    .path()
                    .join(format!("{method}-{name}-{}", micro_batch.unwrap_or("all")))
            });
            smoke(method, &whole).args(parts.clone()).succeed();
            smoke(method, &stopped).args(parts.clone()).succeed();
            common::resume_after_first_epoch(&stopped);
            assert!(
                bytes(&whole, "backbone.safetensors") == bytes(&stopped, "backbone.safetensors"),
                "{method}, micro-batch {micro_batch:?}: the weights differ"
            );
            assert_eq!(summary(&whole)["method"], method);
            let readings = summary(&whole)["readings"].clone();
            let logged = metrics(&whole)[0].clone();
            for (name, value) in readings.as_object().unwrap() {
                assert!(value.is_number() && logged[name].is_number(), "{method}: {name}");
            }
        }
    }
}

#[test]
fn the_method_of_a_run_cannot_change() {
    let folder = folder();
    let run = folder.path().join("run");
    common::smoke("cpu", &run).succeed();
    std::fs::remove_file(run.join("summary.json")).unwrap();
    for line in methods().iter().skip(1) {
        let method = line["method"].as_str().unwrap();
        let resumed = Program::new()
            .args(["--resume", "--accept-changes", "--backend", "cpu", "--out"])
            .arg(&run)
            .arg(format!("--set=method.kind={method}"));
        common::refused(&resumed.run(), &["method.kind", "pretrain --from"]);
    }
}
