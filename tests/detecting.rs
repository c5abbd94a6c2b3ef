//! Detection as a user runs it: trained from a run and from random weights, stopped and continued, and refused where it is not possible.

use crate::common;

use common::{Program, bytes, folder, metrics, refused, smoke};
use serde_json::{Value, json};
use std::path::Path;

/// Six images with a bright rectangle each, in COCO's layout, and some mistakes.
fn rectangles(root: &Path) {
    for (part, count) in [("train", 4u32), ("test", 2)] {
        std::fs::create_dir_all(root.join(part)).unwrap();
        let (mut images, mut annotations) = (Vec::new(), Vec::new());
        for id in 0..count {
            let (x, y) = (4 + 5 * id, 8 + 3 * id);
            let inside = |px: u32, py: u32| (x..x + 30).contains(&px) && (y..y + 24).contains(&py);
            let image = image::RgbImage::from_fn(64, 48, |px, py| match inside(px, py) {
                true => image::Rgb([230, 200, 40]),
                false => image::Rgb([(7 * px % 60) as u8, (11 * py % 60) as u8, 30]),
            });
            image.save(root.join(part).join(format!("{id}.png"))).unwrap();
            images.push(json!({ "id": id, "file_name": format!("{id}.png"), "height": 48, "width": 64 }));
            annotations.push(json!({
                "id": id, "image_id": id, "category_id": 1, "bbox": [x, y, 30, 24], "area": 720, "iscrowd": 0,
                "segmentation": [[x, y, x + 30, y, x + 30, y + 24, x, y + 24]],
            }));
        }
        annotations.push(json!({ "id": 90, "image_id": 0, "category_id": 1, "bbox": [5, 5, 0, 9] }));
        annotations.push(json!({ "id": 91, "image_id": 0, "category_id": 7, "bbox": [5, 5, 9, 9] }));
        let categories = [json!({ "id": 1, "name": "card" })];
        let file = json!({ "images": images, "annotations": annotations, "categories": categories });
        std::fs::create_dir_all(root.join("annotations")).unwrap();
        let path = root.join(format!("annotations/instances_{part}.json"));
        std::fs::write(path, file.to_string()).unwrap();
    }
}

fn detect(run: &Path, data: &Path) -> Program {
    let keys = [
        "train.steps=4",
        "train.log_every=1",
        "train.precise_norm=2",
        "train.checkpoint_every=2",
        "views.short_sides=[48]",
        "views.test_short_side=48",
        "model.anchor_sizes=[16, 32]",
        "model.mask_channels=8",
        "samples.regions=8",
        "proposals.train_after=20",
        "proposals.test_after=10",
        "optimizer.warmup_steps=2",
    ];
    let program = Program::new()
        .args(["detect", "--backend", "cpu", "--batch-size", "2", "--from"])
        .arg(run);
    let program = program.arg("--data").arg(data);
    program.args(keys.into_iter().flat_map(|key| ["--set", key]))
}

fn report(run: &Path) -> Value {
    serde_json::from_slice(&bytes(run, "eval/detect.json")).expect("JSON")
}

#[test]
fn a_detector_is_trained_from_a_run_and_beside_it_and_a_finished_one_is_read() {
    let folder = folder();
    let (run, data) = (folder.path().join("run"), folder.path().join("cards"));
    smoke("cpu", &run).args(["--epochs", "1"]).succeed();
    rectangles(&data);
    let all = || detect(&run, &data).args(["--task", "mask", "--baseline", "random,frozen"]);
    let said = all().succeed();
    for line in ["pre-trained", "random", "frozen"] {
        let of_start: Vec<&str> = said.stdout.lines().filter(|said| said.starts_with(line)).collect();
        assert!(
            of_start.len() == 2 && of_start[1].contains("masks: AP "),
            "{}",
            said.stdout
        );
    }
    for problem in [
        "training images: 1 object of classes that the training annotations do not have (skipped; first: instances_train.json, annotation 91)",
        "test images: 1 object whose box has no area within the image (skipped; first: instances_test.json, annotation 90)",
    ] {
        assert!(said.stderr.contains(problem), "{}", said.stderr);
    }
    let found = report(&run);
    assert_eq!(
        (&found["task"], &found["set"]["layout"]),
        (&json!("mask"), &json!("COCO"))
    );
    assert_eq!(
        (&found["set"]["train_objects"], &found["images"]["test"]),
        (&json!(4), &json!(2))
    );
    let arms = found["arms"].as_array().unwrap();
    assert_eq!(arms.len(), 3);
    for arm in arms {
        let seed = &arm["seeds"][0];
        assert!(
            (0.0..=1.0).contains(&arm["ap"].as_f64().unwrap()) && arm["mask_ap"].is_f64(),
            "{arm}"
        );
        assert_eq!(
            (
                &seed["box"]["classes"][0]["name"],
                &seed["box"]["classes"][0]["objects"]
            ),
            (&json!("card"), &json!(2))
        );
        assert!(
            seed["box"]["ap_small"].is_f64() && seed["box"]["ap_large"].is_null(),
            "{seed}"
        );
    }
    let below = run.join("detect/cards-mask-random-0");
    let steps: Vec<u64> = metrics(&below)
        .iter()
        .map(|line| line["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, [1, 2, 3, 4]);
    assert!(
        metrics(&below)
            .iter()
            .all(|line| line["mask_loss"].is_f64() && line["rpn_class_loss"].is_f64())
    );
    let results: Value = serde_json::from_slice(&bytes(&below, "detections.json")).unwrap();
    assert!(results.is_array());

    // Again: nothing is trained.
    let log = bytes(&below, "metrics.jsonl");
    let again = all().succeed();
    assert!(again.stderr.contains("is finished"), "{}", again.stderr);
    assert_eq!(report(&run)["arms"], found["arms"]);
    assert_eq!(bytes(&below, "metrics.jsonl"), log);

    // Other settings in the same folder, wrong flags, sets without masks or without anything.
    refused(
        &all().args(["--set", "optimizer.learning_rate=0.5"]).run(),
        &["begun with other recipe", "remove the folder"],
    );
    refused(
        &detect(&run, &data).args(["--set", "train.step=3"]).run(),
        &["did you mean `train.steps`"],
    );
    refused(
        &detect(&run, &data).args(["--config", "detect-voc"]).run(),
        &["detect-bccd, detect-voc0712, detect-coco-1x"],
    );
    refused(&detect(&run, &data).arg("--untrained").run(), &["--baseline"]);
    refused(
        &detect(&run, &data).args(["--epochs", "3"]).run(),
        &["--epochs does nothing with detect"],
    );
    refused(&detect(&run, &run).run(), &["no set for detection"]);
    let json = data.join("annotations/instances_train.json");
    let text = std::fs::read_to_string(&json)
        .unwrap()
        .replace("segmentation", "nothing");
    std::fs::write(&json, text).unwrap();
    refused(
        &detect(&run, &data).args(["--task", "mask"]).run(),
        &["has no masks", "--task box"],
    );
}

#[test]
fn a_stopped_detector_is_continued_by_the_same_command() {
    let folder = folder();
    let (run, data) = (folder.path().join("run"), folder.path().join("cards"));
    smoke("cpu", &run).args(["--epochs", "1"]).succeed();
    rectangles(&data);
    let long = || {
        detect(&run, &data).args([
            "--set",
            "train.steps=40",
            "--set",
            "train.checkpoint_every=40",
            "--threads",
            "1",
        ])
    };
    let mut running = long().spawn();
    let below = run.join("detect/cards-box-pre-trained-0");
    running.wait_for(&below.join("metrics.jsonl"), |text| text.lines().count() >= 3);
    if !running.has_ended() {
        running.signal("INT");
    }
    let output = running.finish();
    // On a fast machine it may have come to its end.
    if output.code != 0 {
        assert_eq!(output.code, 130, "{}", output.stderr);
        assert!(
            output.stderr.contains("the same command continues it"),
            "{}",
            output.stderr
        );
        assert!(!run.join("eval/detect.json").exists());
        long().succeed();
    }
    let steps: Vec<u64> = metrics(&below)
        .iter()
        .map(|line| line["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, (1..=40).collect::<Vec<u64>>());
    assert!(report(&run)["arms"][0]["ap"].is_f64());
}
