//! Fine-tuning of a run's network on parts of the labels, and the same network from scratch beside it: `eval/finetune.json`. Every
//! seed of every arm is a run of its own below `RUN/finetune/`.

use super::figures::Spread;
use super::provenance::Provenance;
use super::request::{EvaluatedRun, EvaluationRequest};
use crate::checkpoint::Checkpoint;
use crate::config::{Config, Layers, load, locate_data};
use crate::device::RunRequest;
use crate::error::RunError;
use crate::files::write_json;
use crate::finetune::{ClassifierAccuracy, FinetuneSettings, LabelledPart, classifier_accuracy, finetune_config};
use crate::ranks::group::Alone;
use crate::run::RunOrigin;
use crate::run_dir::RunDir;
use crate::sources::{Sources, labelled_part};
use crate::weights::{GivenNetwork, Weights};
use anyhow::Context;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// What to fine-tune.
pub struct FinetuneRequest {
    /// The runs, their images, the seeds and the device.
    pub evaluation: EvaluationRequest,
    /// Parts of the labels, one after the other.
    pub parts: Vec<LabelledPart>,
    /// Whether the network is trained from scratch, too.
    pub baseline: bool,
    /// The settings of the protocol.
    pub settings: FinetuneSettings,
}

/// The result of one run.
#[derive(Clone, Debug)]
pub struct RunFinetuned {
    /// The run's folder.
    pub run: PathBuf,
    /// Every part with every start.
    pub arms: Vec<FinetuneArm>,
}

/// One part of the labels with one start, over the seeds.
#[derive(Clone, Debug, Serialize)]
pub struct FinetuneArm {
    /// Which images have labels.
    pub part: LabelledPart,
    /// `pre-trained` or `from-scratch`.
    pub start: &'static str,
    /// How many there are.
    pub labelled_images: usize,
    /// Mean top-1 over the seeds.
    pub top1: Option<f64>,
    /// Its standard deviation; null for one seed.
    pub top1_std: Option<f64>,
    /// Mean top-5; null with five classes or fewer.
    pub top5: Option<f64>,
    /// Every seed.
    pub seeds: Vec<FinetuneSeed>,
}

/// The result of one seed.
#[derive(Clone, Debug, Serialize)]
pub struct FinetuneSeed {
    /// The seed of the part, the classifier's weights, the order and the views.
    pub seed: u64,
    /// Accuracy on the test images.
    pub accuracy: ClassifierAccuracy,
    /// The run that trained it.
    pub run: PathBuf,
}

/// `eval/finetune.json`.
#[derive(Serialize)]
struct Report<'a> {
    protocol: &'static str,
    settings: &'a FinetuneSettings,
    arms: &'a [FinetuneArm],
    #[serde(flatten)]
    provenance: &'a Provenance,
}

/// One part of the labels with one start, over the runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArmOverRuns {
    /// Which images have labels.
    pub part: LabelledPart,
    /// `pre-trained` or `from-scratch`.
    pub start: &'static str,
    /// Mean top-1 over the runs.
    pub top1: Option<f64>,
    /// Its standard deviation.
    pub top1_std: Option<f64>,
    /// Number of runs.
    pub runs: usize,
}

/// `eval/finetune-runs.json` of the first run.
#[derive(Serialize)]
struct OverRuns {
    protocol: &'static str,
    runs: Vec<PathBuf>,
    arms: Vec<ArmOverRuns>,
}

impl ArmOverRuns {
    /// The top-1 accuracy over the runs.
    pub fn spread(&self) -> Spread {
        Spread {
            mean: self.top1,
            std: self.top1_std,
            count: self.runs,
        }
    }
}

impl FinetuneArm {
    /// The top-1 accuracy over the seeds.
    pub fn spread(&self) -> Spread {
        Spread {
            mean: self.top1,
            std: self.top1_std,
            count: self.seeds.len(),
        }
    }
}

/// Trains every arm of every run and writes the results. Interrupted, the same request continues: finished runs are read, the others
/// resumed.
///
/// # Errors
/// [`RunError`], each one line.
pub fn finetune(request: &FinetuneRequest) -> Result<Vec<RunFinetuned>, RunError> {
    let runs = &request.evaluation.runs;
    let results: Vec<RunFinetuned> = runs.iter().map(|run| of_run(request, run)).collect::<Result<_, _>>()?;
    if let [first, _, ..] = runs.as_slice() {
        let report = OverRuns {
            protocol: "finetune",
            runs: results.iter().map(|result| result.run.clone()).collect(),
            arms: over_runs(&results),
        };
        write_json(&first.run.evaluation("finetune-runs"), &report)?;
    }
    Ok(results)
}

/// Every arm over the runs, each run's mean over its seeds counting once.
pub fn over_runs(results: &[RunFinetuned]) -> Vec<ArmOverRuns> {
    let arms = results.first().map_or(&[][..], |first| first.arms.as_slice());
    let arm = |(at, arm): (usize, &FinetuneArm)| {
        let top1 = results.iter().map(|result| result.arms[at].top1);
        let spread = Spread::of(&top1.collect::<Vec<_>>());
        ArmOverRuns {
            part: arm.part.clone(),
            start: arm.start,
            top1: spread.mean,
            top1_std: spread.std,
            runs: spread.count,
        }
    };
    arms.iter().enumerate().map(arm).collect()
}

fn of_run(request: &FinetuneRequest, run: &EvaluatedRun) -> Result<RunFinetuned, RunError> {
    let started = Instant::now();
    let evaluation = &request.evaluation;
    let (checkpoint, sources) = evaluation.open(run, false)?;
    let root = run.run.root();
    let weights = checkpoint.evaluated(&run.config);
    let mut provenance = Provenance::of(evaluation, run, weights, checkpoint.progress.step, &sources);
    let network = GivenNetwork::of_checkpoint(&root.display().to_string(), &checkpoint, &[], &run.config);
    let mut config = run.config.clone();
    // As a run writes it: the run below may be resumed from another folder.
    config.data.path = locate_data(&config.data.path).map_err(RunError::usage)?;
    let starts: &[&'static str] = if request.baseline {
        &["pre-trained", "from-scratch"]
    } else {
        &["pre-trained"]
    };
    let mut arms = Vec::new();
    for part in &request.parts {
        for start in starts {
            let of_arm = Arm {
                request,
                root,
                config: &config,
                sources: &sources,
                part,
                start,
                network: (*start == "pre-trained").then_some(&network),
            };
            arms.push(of_arm.train()?);
        }
    }
    provenance.seconds = started.elapsed().as_secs_f64();
    let report = Report {
        protocol: "finetune",
        settings: &request.settings,
        arms: &arms,
        provenance: &provenance,
    };
    write_json(&run.run.evaluation("finetune"), &report)?;
    Ok(RunFinetuned {
        run: root.to_owned(),
        arms,
    })
}

/// One part of the labels with one start.
struct Arm<'a> {
    request: &'a FinetuneRequest,
    root: &'a Path,
    config: &'a Config,
    /// All images.
    sources: &'a Sources,
    part: &'a LabelledPart,
    start: &'static str,
    /// Where the backbone starts; `None` from scratch.
    network: Option<&'a GivenNetwork>,
}

impl Arm<'_> {
    fn train(&self) -> Result<FinetuneArm, RunError> {
        let mut seeds = Vec::new();
        let mut labelled_images = 0;
        for &seed in &self.request.evaluation.seeds {
            let (result, images) = self.of_seed(seed)?;
            seeds.push(result);
            labelled_images = images;
        }
        let spread = |of: fn(&ClassifierAccuracy) -> Option<f64>| {
            Spread::of(&seeds.iter().map(|result| of(&result.accuracy)).collect::<Vec<_>>())
        };
        let top1 = spread(|accuracy| Some(accuracy.top1));
        Ok(FinetuneArm {
            part: self.part.clone(),
            start: self.start,
            labelled_images,
            top1: top1.mean,
            top1_std: top1.std,
            top5: spread(|accuracy| accuracy.top5).mean,
            seeds,
        })
    }

    /// The result of a seed, and how many images had labels.
    fn of_seed(&self, seed: u64) -> Result<(FinetuneSeed, usize), RunError> {
        let Self { request, part, .. } = *self;
        let evaluation = &request.evaluation;
        let settings = match self.network {
            Some(_) => request.settings.clone(),
            None => request.settings.from_scratch(),
        };
        let part_name = match part {
            LabelledPart::Fraction(fraction) => fraction.to_string(),
            LabelledPart::Names(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let root = self
            .root
            .join("finetune")
            .join(format!("{part_name}-{}-{seed}", self.start));
        let classes = self.sources.classes.len();
        let mut config = finetune_config(self.config, &settings, part, self.sources.train.len(), classes, seed);
        let console = &evaluation.console;
        let sources = labelled_part(self.sources, &config, &|line| console.line(line)).map_err(RunError::usage)?;
        let images = sources.train.len();
        // How many images the part has bounds the batch.
        config.train.batch_size = config.train.batch_size.min(images);
        config.validate().map_err(RunError::usage)?;
        let origin = match RunDir::open(&root) {
            Ok(run) => RunOrigin::Resume {
                stored: Box::new(load(&Layers::of_file(&run.config())).map_err(RunError::usage)?.1),
                run,
                accept_changes: false,
            },
            Err(_) => RunOrigin::New {
                root: root.clone(),
                weights: self.network.map(|network| {
                    let weights = Weights::backbone_of(network);
                    match config.backbone() {
                        Ok(backbone) => (
                            weights.with_classifier(classes, backbone.feature_dim(), seed),
                            Vec::new(),
                        ),
                        Err(_) => (weights, Vec::new()),
                    }
                }),
            },
        };
        console.line(&format!("finetune    {}, seed {seed}: {}", self.start, root.display()));
        let run_request = RunRequest {
            recipe: "finetune".to_owned(),
            config: config.clone(),
            label: evaluation.label.clone(),
            origin,
            images: Some(sources.clone()),
            console: console.clone(),
            stop: evaluation.stop.clone(),
            profile: false,
            dry_run: false,
            baselines: None,
            group: Arc::new(Alone::default()),
        };
        let accuracy = evaluation.device.run(|device| {
            device.prepare(run_request)?.train()?;
            let trained = trained(&root)?;
            let network = device.network(trained.evaluated(&config), &config, true)?;
            let watch = evaluation.watch();
            Ok::<_, RunError>(classifier_accuracy(network.as_ref(), &sources, &config, &watch)?)
        })?;
        Ok((
            FinetuneSeed {
                seed,
                accuracy,
                run: root,
            },
            images,
        ))
    }
}

/// The last checkpoint of a finished run.
fn trained(root: &Path) -> Result<Checkpoint, RunError> {
    let run = RunDir::open(root).map_err(RunError::usage)?;
    let kept = Checkpoint::newest(&run)?;
    Ok(kept.checkpoint.context("a finished run has a checkpoint")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_are_averaged_over_runs() {
        let arm = |start, top1| FinetuneArm {
            part: LabelledPart::Fraction(0.1),
            start,
            labelled_images: 10,
            top1: Some(top1),
            top1_std: None,
            top5: None,
            seeds: Vec::new(),
        };
        let run = |name: &str, a, b| RunFinetuned {
            run: name.into(),
            arms: vec![arm("pre-trained", a), arm("from-scratch", b)],
        };
        let arms = over_runs(&[run("x", 0.5, 0.25), run("y", 0.75, 0.25)]);
        let printed: Vec<String> = arms
            .iter()
            .map(|arm| format!("{} {}", arm.start, arm.spread()))
            .collect();
        assert_eq!(
            printed,
            [
                "pre-trained 0.6250 ± 0.1768 over 2",
                "from-scratch 0.2500 ± 0.0000 over 2"
            ]
        );
        assert!(over_runs(&[]).is_empty());
    }
}
