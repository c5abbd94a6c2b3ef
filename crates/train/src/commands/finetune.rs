//! The `finetune` command: a run's network trained on a part of the labels, and the same network from scratch beside it.

use super::probe::ProbeRequest;
use crate::console::{Terminal, print_result};
use anyhow::Context;
use barlow_engine::checkpoint::Checkpoint;
use barlow_engine::config::{Layers, load};
use barlow_engine::console::Console;
use barlow_engine::device::RunRequest;
use barlow_engine::error::RunError;
use barlow_engine::files::write_json;
use barlow_engine::finetune::{
    ClassifierAccuracy, FinetuneSettings, LabelledPart, classifier_accuracy, finetune_config,
};
use barlow_engine::run::RunOrigin;
use barlow_engine::run_dir::RunDir;
use barlow_engine::sources;
use barlow_engine::weights::{GivenNetwork, Weights};
use barlow_eval::MeanStd;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to fine-tune.
pub struct FinetuneRequest {
    /// The run, its images and the device.
    pub probe: ProbeRequest,
    /// Parts of the labels, one after the other.
    pub parts: Vec<LabelledPart>,
    /// Seeds, each with its own part.
    pub seeds: Vec<u64>,
    /// Whether the network is trained from scratch, too.
    pub baseline: bool,
    /// The settings of the protocol.
    pub settings: FinetuneSettings,
    /// Whether only warnings and results are printed.
    pub quiet: bool,
}

/// `eval/finetune.json`.
#[derive(Serialize)]
struct Report<'a> {
    protocol: &'static str,
    settings: &'a FinetuneSettings,
    data: String,
    step: u64,
    arms: Vec<Arm>,
}

/// One part of the labels with one start, over the seeds.
#[derive(Serialize)]
struct Arm {
    part: LabelledPart,
    /// `pre-trained` or `from-scratch`.
    start: &'static str,
    labelled_images: usize,
    top1: f64,
    top1_deviation: Option<f64>,
    seeds: Vec<SeedResult>,
}

/// The result of one seed.
#[derive(Serialize)]
struct SeedResult {
    seed: u64,
    accuracy: ClassifierAccuracy,
    run: PathBuf,
}

/// Trains every arm as a run below the network's own, prints the accuracies and writes `eval/finetune.json`. Interrupted, the same
/// command continues: finished runs are read, the others resumed.
///
/// # Errors
/// [`RunError`], each one line.
pub fn run(request: &FinetuneRequest) -> Result<(), RunError> {
    let probe = &request.probe;
    let (checkpoint, sources) = probe.open()?;
    let (images, classes) = (sources.train.len(), sources.classes.len());
    drop(sources);
    let network = GivenNetwork::of_checkpoint(&probe.run.root().display().to_string(), &checkpoint, &[], &probe.config);
    let mut arms = Vec::new();
    for part in &request.parts {
        for is_baseline in [false, true] {
            if is_baseline && !request.baseline {
                continue;
            }
            arms.push(arm(request, &network, part, is_baseline, images, classes)?);
        }
    }
    let report = Report {
        protocol: "finetune",
        settings: &request.settings,
        data: probe.data(),
        step: checkpoint.progress.step,
        arms,
    };
    write_json(&probe.run.evaluation("finetune"), &report)?;
    for arm in &report.arms {
        let part = match &arm.part {
            LabelledPart::Fraction(fraction) => format!("{} % of the labels", 100.0 * fraction),
            LabelledPart::Names(path) => path.display().to_string(),
        };
        let spread = arm.top1_deviation.map_or(String::new(), |deviation| {
            format!(" ± {deviation:.4} over {} seeds", arm.seeds.len())
        });
        print_result(&format!(
            "{:12} {part} ({} images): top-1 {:.4}{spread}",
            arm.start, arm.labelled_images, arm.top1
        ));
    }
    Ok(())
}

fn arm(
    request: &FinetuneRequest,
    network: &GivenNetwork,
    part: &LabelledPart,
    is_baseline: bool,
    images: usize,
    classes: usize,
) -> Result<Arm, RunError> {
    let start = if is_baseline { "from-scratch" } else { "pre-trained" };
    let settings = if is_baseline {
        request.settings.from_scratch()
    } else {
        request.settings.clone()
    };
    let mut results = Vec::new();
    let mut labelled_images = 0;
    for &seed in &request.seeds {
        let probe = &request.probe;
        let name = match part {
            LabelledPart::Fraction(fraction) => format!("{fraction}-{start}-{seed}"),
            LabelledPart::Names(path) => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                format!("{stem}-{start}-{seed}")
            }
        };
        let root = probe.run.root().join("finetune").join(name);
        // How many images the part has decides the batch.
        let mut config = finetune_config(&probe.config, &settings, part, images, classes, seed);
        let console = Terminal::new(true);
        let sources = sources::open(&config, true, &|line| console.line(line)).map_err(RunError::usage)?;
        labelled_images = sources.train.len();
        config.train.batch_size = config.train.batch_size.min(labelled_images);
        config.validate().map_err(RunError::usage)?;
        let origin = if RunDir::open(&root).is_ok() {
            let stored = load(&Layers::of_file(&root.join("config.toml")))
                .map_err(RunError::usage)?
                .1;
            RunOrigin::Resume {
                run: RunDir::open(&root).map_err(RunError::usage)?,
                stored: Box::new(stored),
                accept_changes: false,
            }
        } else {
            let weights = (!is_baseline).then(|| (Weights::backbone_of(network), Vec::new()));
            RunOrigin::New {
                root: root.clone(),
                weights,
            }
        };
        probe
            .console
            .line(&format!("finetune    {start}, seed {seed}: {}", root.display()));
        let run_request = RunRequest {
            recipe: "finetune".to_owned(),
            config: config.clone(),
            label: probe.selected.label(),
            origin,
            console: Arc::new(Terminal::new(request.quiet)),
            stop: probe.stop.clone(),
            profile: false,
            dry_run: false,
            baselines: None,
        };
        let accuracy = probe.selected.run(|device| {
            device.prepare(run_request)?.train()?;
            let trained = trained(&root)?;
            let network = device.network(trained.evaluated(&config), &config, true)?;
            Ok::<_, RunError>(classifier_accuracy(
                network.as_ref(),
                &sources,
                &config,
                &probe.watch(),
            )?)
        })?;
        results.push(SeedResult {
            seed,
            accuracy,
            run: root,
        });
    }
    let top1: Vec<f64> = results.iter().map(|result| result.accuracy.top1).collect();
    let mean = MeanStd::of(&top1).context("there is a seed")?;
    Ok(Arm {
        part: part.clone(),
        start,
        labelled_images,
        top1: mean.mean,
        top1_deviation: mean.std,
        seeds: results,
    })
}

/// The last checkpoint of a finished run.
fn trained(root: &Path) -> Result<Checkpoint, RunError> {
    let run = RunDir::open(root).map_err(RunError::usage)?;
    let kept = Checkpoint::newest(&run)?;
    Ok(kept.checkpoint.context("a finished run has a checkpoint")?)
}
