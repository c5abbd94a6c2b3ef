//! Detection: a detector on a run's backbone, trained and tested on a set with boxes or masks, and the same from other starts beside it:
//! `eval/detect.json`. Every seed of every start is a run of its own below `RUN/detect/`.

use super::detect_arm::{DetectArm, DetectSeed, arm};
use super::detect_page::page;
use super::provenance::Provenance;
use super::request::{EvaluatedRun, EvaluationRequest};
use crate::checkpoint::{Checkpoint, Damaged, NoCheckpoint};
use crate::detect::{DetectRecipe, DetectTask, DetectorJob, DetectorStart, TrainViews, score};
use crate::error::RunError;
use crate::files::{write_atomic, write_json};
use crate::sources::{Sources, normalization};
use barlow_augment::Normalization;
use barlow_data::{DetectionLayout, DetectionParts, DetectionSet, DetectionSets, open_detection};
use barlow_model::{BackboneConfig, ResNetConfig, StateDict};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// What to train detectors on.
pub struct DetectRequest {
    /// The runs, with the set as their data, the seeds and the device.
    pub evaluation: EvaluationRequest,
    /// Name of the recipe.
    pub name: String,
    /// The recipe.
    pub recipe: DetectRecipe,
    /// Boxes or masks.
    pub task: DetectTask,
    /// Where detectors start: pre-trained, and what is compared with it.
    pub starts: Vec<DetectorStart>,
}

/// The result of one run.
#[derive(Clone, Debug)]
pub struct RunDetected {
    /// The run's folder.
    pub run: PathBuf,
    /// How average precision was measured.
    pub definition: &'static str,
    /// Every start.
    pub arms: Vec<DetectArm>,
}

/// `eval/detect.json`.
#[derive(Serialize)]
struct Report<'a> {
    protocol: &'static str,
    task: DetectTask,
    /// What `ap`, `ap50` and `ap75` of the arms are.
    definition: &'static str,
    recipe_name: &'a str,
    recipe: &'a DetectRecipe,
    set: SetSummary,
    arms: &'a [DetectArm],
    #[serde(flatten)]
    provenance: &'a Provenance,
}

/// The set, in numbers.
#[derive(Serialize)]
struct SetSummary {
    layout: String,
    train_parts: Vec<String>,
    test_part: Option<String>,
    classes: Vec<String>,
    train_objects: usize,
    test_objects: usize,
    /// What was skipped or changed, a line for each kind.
    problems: Vec<String>,
}

/// `result.json` of a detector's run.
#[derive(Serialize, Deserialize)]
struct Finished {
    identity: Value,
    result: DetectSeed,
}

const OF_COCO: &str = "COCO's average precision: 101 points of recall, overlaps of .50 to .95";
const OF_VOC: &str =
    "VOC 2007's average precision as detectron2 reports it: 11 points of recall, overlaps over .50 to .95";

/// Trains every detector of every run and writes the results. Interrupted, the same request continues: finished detectors are read, the
/// others resumed.
///
/// # Errors
/// [`RunError`], each one line.
pub fn detect(request: &DetectRequest) -> Result<Vec<RunDetected>, RunError> {
    let runs = &request.evaluation.runs;
    runs.iter().map(|run| of_run(request, run)).collect()
}

fn of_run(request: &DetectRequest, run: &EvaluatedRun) -> Result<RunDetected, RunError> {
    let started = Instant::now();
    let evaluation = &request.evaluation;
    let root = run.run.root();
    let resnet = resnet(run)?;
    let kept = Checkpoint::chosen(&run.run, run.last)?;
    for Damaged { error, .. } in &kept.damaged {
        evaluation.console.warn(&format!("{error:#}"));
    }
    let checkpoint = kept
        .checkpoint
        .ok_or_else(|| RunError::usage(NoCheckpoint(root.to_owned())))?;
    let sets = opened(request, run)?;
    let (train, test): (Arc<DetectionSet>, Arc<DetectionSet>) = (sets.train.clone().into(), sets.test.clone().into());
    let normalization = normalization(&run.config, train.as_ref()).map_err(RunError::usage)?;
    let sources = Sources::of(train, Some(test), normalization.clone());
    let weights = checkpoint.evaluated(&run.config);
    let mut provenance = Provenance::of(evaluation, run, weights, checkpoint.progress.step, &sources);
    provenance.pixels = None;
    let origin = format!("{}, step {}", root.display(), checkpoint.progress.step);
    let mut arms = Vec::new();
    for &start in &request.starts {
        let of_start = Start {
            request,
            run,
            start,
            resnet: &resnet,
            weights,
            origin: &origin,
            sets: &sets,
            normalization: &normalization,
        };
        let seeds = evaluation.seeds.iter().map(|&seed| of_start.seed(seed));
        arms.push(arm(start, sets.layout, seeds.collect::<Result<_, _>>()?));
    }
    provenance.seconds = started.elapsed().as_secs_f64();
    let definition = match sets.layout {
        DetectionLayout::Voc => OF_VOC,
        DetectionLayout::Coco => OF_COCO,
    };
    let report = Report {
        protocol: "detect",
        task: request.task,
        definition,
        recipe_name: &request.name,
        recipe: &request.recipe,
        set: summary(&sets),
        arms: &arms,
        provenance: &provenance,
    };
    let file = run.run.evaluation("detect");
    write_json(&file, &report)?;
    let title = format!("Detection: {}", root.file_name().unwrap_or_default().to_string_lossy());
    let notes = report.set.problems.clone();
    let page = page(title, definition, &arms, &sets.test, facts(request, &report), notes)?;
    write_atomic(&file.with_extension("html"), page.as_bytes())?;
    evaluation
        .console
        .line(&format!("{:<11} {}", "page", file.with_extension("html").display()));
    Ok(RunDetected {
        run: root.to_owned(),
        definition,
        arms,
    })
}

/// The run's backbone, which must be a ResNet.
fn resnet(run: &EvaluatedRun) -> Result<ResNetConfig, RunError> {
    match run.config.backbone().map_err(RunError::usage)? {
        BackboneConfig::ResNet(resnet) => Ok(resnet),
        _ => Err(RunError::usage(format!(
            "the backbone of {} is a vision transformer, and detectors are built on the stages of a ResNet",
            run.run.root().display()
        ))),
    }
}

/// The set of a run's config, with everything that was skipped or changed printed.
fn opened(request: &DetectRequest, run: &EvaluatedRun) -> Result<DetectionSets, RunError> {
    let (config, recipe) = (&run.config, &request.recipe);
    let parts = DetectionParts {
        train: recipe.data.train.clone(),
        test: recipe.data.test.clone(),
    };
    let sets = open_detection(&config.data.path, &parts, config.model.in_channels).map_err(RunError::usage)?;
    let console = &request.evaluation.console;
    for (part, set) in [("training", &sets.train), ("test", &sets.test)] {
        console.line(&format!(
            "{:<11} {} images, {} objects of {} classes",
            part,
            set.images.len(),
            set.objects(),
            set.classes.len()
        ));
        for line in set.problems.lines() {
            console.warn(&format!("{part} images: {line}"));
        }
    }
    let plain = Normalization::unit(config.model.in_channels);
    let views = TrainViews::new(&sets.train, &recipe.views, &plain, 0, false);
    let without = sets.train.images.len() - views.images();
    if without > 0 {
        console.line(&format!(
            "{:<11} {without} training images have no objects and do not train",
            ""
        ));
    }
    let small = views.too_small();
    if small > 0 {
        console.warn(&format!(
            "{small} training objects have a side below two pixels at the smallest size of their images and do not train there"
        ));
    }
    if views.images() == 0 {
        return Err(RunError::usage(format!(
            "{}: the training images have crowds only, which do not train",
            config.data.path.display()
        )));
    }
    if request.task == DetectTask::Mask {
        let masks = |set: &DetectionSet| {
            let objects = set.images.iter().flat_map(|image| &image.objects);
            objects.filter(|object| object.outline.is_some()).count()
        };
        let [of_train, of_test] = [&sets.train, &sets.test].map(masks);
        if of_train == 0 || of_test == 0 {
            return Err(RunError::usage(format!(
                "{} has no masks, which --task mask needs; pass a set with COCO's annotation files, or --task box",
                config.data.path.display()
            )));
        }
        let without = sets.train.objects() - of_train;
        if without > 0 {
            console.warn(&format!(
                "{without} training objects have no mask and train boxes alone"
            ));
        }
        let without = sets.test.objects() - of_test;
        if without > 0 {
            console.warn(&format!(
                "{without} test objects have no mask and are neither found nor missed as masks"
            ));
        }
    }
    Ok(sets)
}

/// What the page says of data, recipe and machine.
fn facts(request: &DetectRequest, report: &Report<'_>) -> Vec<(String, String)> {
    let Provenance {
        data,
        images,
        device,
        version,
        ..
    } = report.provenance;
    let set = &report.set;
    let facts = [
        ("data", data.clone()),
        ("layout", set.layout.clone()),
        (
            "training",
            format!(
                "{}: {} images, {} objects",
                set.train_parts.join(", "),
                images.train,
                set.train_objects
            ),
        ),
        (
            "test",
            format!(
                "{}: {} images, {} objects",
                set.test_part.as_deref().unwrap_or_default(),
                images.test,
                set.test_objects
            ),
        ),
        ("task", request.task.name().to_owned()),
        ("recipe", format!("{}\n\n{}", request.name, request.recipe.to_toml())),
        ("device", device.clone()),
        ("version", (*version).to_owned()),
        ("minutes", format!("{:.1}", report.provenance.seconds / 60.0)),
    ];
    facts.map(|(name, value)| (name.to_owned(), value)).to_vec()
}

fn summary(sets: &DetectionSets) -> SetSummary {
    let of_part = |part: &'static str, set: &DetectionSet| {
        let lines = set.problems.lines().into_iter();
        lines.map(move |line| format!("{part}: {line}")).collect::<Vec<_>>()
    };
    SetSummary {
        layout: sets.layout.to_string(),
        train_parts: sets.parts.train.clone(),
        test_part: sets.parts.test.clone(),
        classes: sets.train.classes.clone(),
        train_objects: sets.train.objects(),
        test_objects: sets.test.objects(),
        problems: [of_part("training", &sets.train), of_part("test", &sets.test)].concat(),
    }
}

/// One start.
struct Start<'a> {
    request: &'a DetectRequest,
    run: &'a EvaluatedRun,
    start: DetectorStart,
    resnet: &'a ResNetConfig,
    weights: &'a StateDict,
    origin: &'a str,
    sets: &'a DetectionSets,
    normalization: &'a Normalization,
}

impl Start<'_> {
    fn seed(&self, seed: u64) -> Result<DetectSeed, RunError> {
        let Self {
            request, run, start, ..
        } = *self;
        let evaluation = &request.evaluation;
        let data = run.config.data.path.file_name().unwrap_or_default().to_string_lossy();
        let task = request.task.name();
        let name = format!("{data}-{task}-{}-{seed}", start.name());
        let root = run.run.root().join("detect").join(name);
        let job = DetectorJob {
            root: &root,
            recipe: &request.recipe,
            task: request.task,
            start,
            resnet: *self.resnet,
            conv_init: run.config.model.conv_init,
            weights: self.weights,
            origin: self.origin,
            sets: self.sets,
            normalization: self.normalization,
            seed,
            console: evaluation.console.as_ref(),
            stop: &evaluation.stop,
        };
        let identity = job.identity();
        let file = root.join("result.json");
        if let Some(finished) = read_finished(&file)
            && finished.identity == identity
        {
            evaluation
                .console
                .line(&format!("{:<11} {} is finished", "detect", root.display()));
            return Ok(finished.result);
        }
        evaluation.console.line(&format!(
            "{:<11} {}, seed {seed}: {}",
            "detect",
            start.name(),
            root.display()
        ));
        let trained = evaluation.device.run(|device| device.train_detector(&job))?;
        let scores = |masks| score(&self.sets.test, &trained.found, self.sets.layout, masks);
        let result = DetectSeed {
            seed,
            run: root,
            seconds: trained.seconds,
            skipped: trained.found.skipped.len(),
            boxes: scores(false)?,
            mask: (request.task == DetectTask::Mask).then(|| scores(true)).transpose()?,
        };
        let finished = Finished { identity, result };
        write_json(&file, &finished)?;
        Ok(finished.result)
    }
}

/// The result of a finished detector; what cannot be read is computed again.
fn read_finished(file: &Path) -> Option<Finished> {
    serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()
}
