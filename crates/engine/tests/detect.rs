//! Detectors end to end on drawn shapes: killed and resumed to the same bytes, refused when something else is resumed, and what is learned.

#![cfg(feature = "cpu")]

use barlow_augment::Normalization;
use barlow_data::{DetectionParts, DetectionSets, open_detection};
use barlow_engine::checkpoint::Checkpoint;
use barlow_engine::config::Layers;
use barlow_engine::console::Console;
use barlow_engine::detect::{
    DetectRecipe, DetectTask, DetectorJob, DetectorStart, FoundSet, TrainedDetector, load_detect_recipe, score,
    train_detector,
};
use barlow_engine::error::RunError;
use barlow_engine::metrics;
use barlow_engine::run_dir::RunDir;
use barlow_engine::stop::StopFlag;
use barlow_model::{ConvInit, ResNetConfig, ResNetDepth, StateDict};
use burn::backend::Autodiff;
use burn_flex::{Flex, FlexDevice};
use std::path::Path;
use std::sync::Mutex;

#[path = "../examples/shapes.rs"]
#[allow(dead_code, reason = "its main function is the example's")]
mod shapes;

type Diff = Autodiff<Flex>;

/// Retains warnings, and stops a run after a step.
#[derive(Default)]
struct Watcher {
    stop: StopFlag,
    stop_after: Option<u64>,
    warnings: Mutex<Vec<String>>,
}

impl Console for Watcher {
    fn line(&self, _text: &str) {}

    fn warn(&self, text: &str) {
        self.warnings.lock().unwrap().push(text.to_owned());
    }

    fn asked(&self, _text: &str) {}

    fn step(&self, done: u64) {
        if Some(done) == self.stop_after {
            self.stop.set();
        }
    }
}

fn shapes(train: u64, test: u64) -> (tempfile::TempDir, DetectionSets) {
    let folder = tempfile::tempdir().unwrap();
    shapes::write_shapes(folder.path(), [train, test]).unwrap();
    let sets = open_detection(folder.path(), &DetectionParts::default(), 3).unwrap();
    (folder, sets)
}

/// A small recipe with overrides.
fn recipe(sets: &[&str]) -> DetectRecipe {
    let small = [
        "views.short_sides=[96, 112]",
        "views.test_short_side=112",
        "model.anchor_sizes=[16, 32, 64]",
        "model.mask_channels=16",
        "samples.anchors=64",
        "samples.regions=16",
        "proposals.train_before=200",
        "proposals.train_after=50",
        "proposals.test_before=200",
        "proposals.test_after=20",
        "optimizer.warmup_steps=2",
        "optimizer.milestones=[]",
        "train.log_every=2",
        "train.precise_norm=2",
    ];
    let layers = Layers {
        recipe: Some("detect-bccd".to_owned()),
        sets: small.iter().chain(sets).map(|set| (*set).to_owned()).collect(),
        ..Layers::default()
    };
    load_detect_recipe(&layers).unwrap().1
}

struct Trained {
    result: Result<TrainedDetector, RunError>,
    warnings: Vec<String>,
}

fn train(root: &Path, recipe: &DetectRecipe, sets: &DetectionSets, watcher: Watcher, width: usize) -> Trained {
    let job = DetectorJob {
        root,
        recipe,
        task: DetectTask::Mask,
        start: DetectorStart::Random,
        resnet: ResNetConfig::new(ResNetDepth::ResNet18).with_width(width),
        conv_init: ConvInit::default(),
        weights: &StateDict::new(),
        origin: "nowhere",
        sets,
        normalization: &Normalization::imagenet(),
        seed: 3,
        console: &watcher,
        stop: &watcher.stop,
    };
    let result = train_detector::<Diff>(&job, &FlexDevice);
    Trained {
        result,
        warnings: watcher.warnings.into_inner().unwrap(),
    }
}

fn last_checkpoint(root: &Path) -> Checkpoint {
    Checkpoint::newest(&RunDir::open(root).unwrap())
        .unwrap()
        .checkpoint
        .unwrap()
}

/// Losses by step.
fn losses(root: &Path) -> Vec<(u64, f64)> {
    let lines = metrics::read(&root.join("metrics.jsonl")).unwrap();
    lines
        .iter()
        .map(|line| (line.step().unwrap(), line.number("loss").unwrap()))
        .collect()
}

#[test]
fn a_stopped_detector_is_resumed_to_the_same_bytes() {
    let (folder, sets) = shapes(5, 2);
    // Two parts a step; the second shuffle begins within a step.
    let recipe = recipe(&[
        "train.steps=4",
        "train.batch_size=3",
        "train.micro_batch=2",
        "train.checkpoint_every=4",
    ]);
    let [whole, stopped] = ["whole", "stopped"].map(|name| folder.path().join(name));
    let trained = train(&whole, &recipe, &sets, Watcher::default(), 4);
    assert!(
        trained.result.is_ok() && trained.warnings.is_empty(),
        "{:?}",
        trained.warnings
    );

    let watcher = Watcher {
        stop_after: Some(2),
        ..Watcher::default()
    };
    let error = train(&stopped, &recipe, &sets, watcher, 4).result.unwrap_err();
    assert!(
        matches!(&error, RunError::Interrupted(text) if text.contains("step 2 of 4")),
        "{error}"
    );
    let resumed = train(&stopped, &recipe, &sets, Watcher::default(), 4).result.unwrap();

    let [a, b] = [&whole, &stopped].map(|root| last_checkpoint(root));
    assert_eq!((a.progress.step, b.progress.step), (4, 4));
    assert!(a.model == b.model && a.optimizer == b.optimizer);
    assert!(a.optimizer.len() > 70 && a.model.len() > a.optimizer.len());
    assert_eq!(losses(&whole), losses(&stopped));
    assert_eq!(losses(&whole).iter().map(|(step, _)| *step).collect::<Vec<_>>(), [2, 4]);
    let found = |root: &Path| std::fs::read(root.join("detections.json")).unwrap();
    assert_eq!(found(&whole), found(&stopped));
    let written = trained.result.unwrap().found;
    assert_eq!(resumed.found, written);
    let read = FoundSet::read(&sets.test, &whole.join("detections.json")).unwrap();
    assert_eq!(read.len(), written.objects.len());
    for (read, written) in read.iter().zip(&written.objects) {
        assert_eq!(
            (read.image, read.class, read.score),
            (written.image, written.class, written.score)
        );
        assert!(read.mask.is_some() && read.mask == written.mask);
        let corners = read.corners.iter().zip(written.corners);
        assert!(corners.into_iter().all(|(read, written)| (read - written).abs() < 1e-3));
    }

    // Other settings are another run.
    let mut other = recipe.clone();
    other.optimizer.learning_rate = 0.5;
    let error = train(&stopped, &other, &sets, Watcher::default(), 4)
        .result
        .unwrap_err();
    assert!(
        matches!(error, RunError::Usage(_)) && error.to_string().contains("begun with other recipe"),
        "{error}"
    );
    let busy = RunDir::open(&stopped).unwrap();
    let _lock = busy.lock().unwrap();
    let error = train(&stopped, &recipe, &sets, Watcher::default(), 4)
        .result
        .unwrap_err();
    assert!(error.to_string().contains("another process"), "{error}");
}

#[test]
fn damaged_images_are_replaced_in_training_and_not_counted_in_the_test() {
    let (folder, sets) = shapes(3, 3);
    let recipe = recipe(&["train.steps=2", "train.batch_size=2"]);
    let damage = |image: usize, part: &barlow_data::DetectionSet| {
        std::fs::write(&part.images[image].path, b"no image").unwrap();
    };
    damage(1, &sets.train);
    damage(0, &sets.test);
    let trained = train(&folder.path().join("run"), &recipe, &sets, Watcher::default(), 4);
    let result = trained.result.unwrap();
    assert_eq!(result.found.skipped.images().collect::<Vec<_>>(), [0]);
    assert!(result.found.objects.iter().all(|found| found.image != 0));
    let all = trained.warnings.join("\n");
    assert!(
        all.contains("1 training image cannot be used (skipped; first: bad image")
            && all.contains("1 test image cannot be used"),
        "{all}"
    );
    let scores = score(&sets.test, &result.found, sets.layout, true).unwrap();
    let counted: usize = scores.classes.iter().map(|class| class.objects).sum();
    let others: usize = sets.test.images[1..].iter().map(|image| image.objects.len()).sum();
    assert_eq!(counted, others);

    for image in [0, 2] {
        damage(image, &sets.train);
    }
    let error = train(&folder.path().join("none"), &recipe, &sets, Watcher::default(), 4)
        .result
        .unwrap_err();
    assert!(
        error.to_string().contains("3 training images cannot be used"),
        "{error}"
    );
}

/// Minutes in a release build on two cores; see docs/src/detection.md.
#[test]
#[ignore = "minutes: cargo test --release -p barlow-engine --test detect -- --ignored"]
fn shapes_are_learned_to_a_mask_ap50_of_one_half() {
    let (folder, sets) = shapes(200, 50);
    let recipe = recipe(&[
        "views.short_sides=[128]",
        "views.test_short_side=128",
        "samples.regions=32",
        "proposals.train_after=100",
        "proposals.test_after=50",
        "optimizer.learning_rate=0.02",
        "optimizer.warmup_steps=50",
        "optimizer.milestones=[500]",
        "train.steps=600",
        "train.batch_size=4",
        "train.log_every=20",
        "train.precise_norm=50",
    ]);
    let trained = train(&folder.path().join("run"), &recipe, &sets, Watcher::default(), 16)
        .result
        .unwrap();
    let [boxes, masks] = [false, true].map(|masks| score(&sets.test, &trained.found, sets.layout, masks).unwrap());
    let found = [boxes.ap50, masks.ap50].map(Option::unwrap);
    assert!(found[0] >= 0.5 && found[1] >= 0.5, "AP50 of boxes and masks {found:?}");
}
