//! Resolves the command line: reads configs, finds devices and folders. Nothing is written or trained here.

use super::args::{
    DetectArgs, DetectBaselineArg, DetectTaskArg, DropsArg, EmbedArgs, ExportArgs, FeaturesArg, FinetuneArgs, JobsArgs,
    LayerArg, LinearArgs, PretrainArgs, ProbeArgs, ProtocolArg, ResizeArg, RunArgs, ScheduleArg, StudyArgs, TaskArg,
    TransferArgs, WhatArg,
};
use crate::commands::embed::EmbeddingRequest;
use crate::commands::export::ExportRequest;
use crate::commands::transfer::Task;
use crate::console::Terminal;
use barlow_data::DataFormat;
use barlow_engine::checkpoint::{Checkpoint, Damaged, NoCheckpoint};
use barlow_engine::config::{
    CacheName, Config, DataCache, DataPathError, Layers, MOST_THREADS, Normalize, NormalizeName, load, locate_data,
    settle_rates,
};
use barlow_engine::console::Console;
use barlow_engine::detect::{DetectTask, DetectorStart, load_detect_recipe};
use barlow_engine::device::RunRequest;
use barlow_engine::embed::Layer;
use barlow_engine::error::RunError;
use barlow_engine::evaluation::{FeatureLayer, FeatureOptions, SgdProtocol, SgdSchedule};
use barlow_engine::finetune::{FinetuneSchedule, FinetuneSettings, LabelledPart};
use barlow_engine::protocols::{DetectRequest, EvaluatedRun, EvaluationRequest, FinetuneRequest};
use barlow_engine::ranks::group::Group;
use barlow_engine::run::RunOrigin;
use barlow_engine::run_dir::{RunDir, RunDirError, default_root};
use barlow_engine::sources::{self, Sources};
use barlow_engine::stop::StopFlag;
use barlow_engine::study::{StudyRequest, StudySource};
use barlow_engine::weights::{ExportPart, GivenNetwork, ImportedFile, Weights, split_last};
use barlow_train::device::{BackendChoice, BackendError, Selected, select};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Value;

/// Sizes the pool that decodes images and that the CPU backend computes on. Processes of one machine share its cores.
pub(super) fn set_threads(args: &RunArgs, processes: usize) -> Result<(), RunError> {
    let share = || std::thread::available_parallelism().map_or(1, |cores| (cores.get() / processes).max(1));
    let threads = args.threads.or_else(|| (processes > 1).then(share));
    let Some(threads) = threads else { return Ok(()) };
    if threads == 0 {
        return Err(RunError::usage(
            "--threads 0: at least one thread is needed; remove it to use all cores",
        ));
    }
    if threads > MOST_THREADS {
        return Err(RunError::usage(format!(
            "--threads {threads}: at most {MOST_THREADS}; remove it to use all cores"
        )));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    pool.map_err(|error| RunError::usage(format!("--threads {threads}: {error}")))
}

/// The config of the command line, with the recipe's name.
pub(super) fn config(args: &RunArgs) -> Result<(String, Config), RunError> {
    load(&layers(args)?).map_err(RunError::usage)
}

/// [`load`] of a config whose network this program can build.
fn load_ours(layers: &Layers) -> Result<(String, Config), RunError> {
    let (name, config) = load(layers).map_err(RunError::usage)?;
    config.backbone().map_err(RunError::usage)?;
    Ok((name, config))
}

/// Recipe and overrides as they were given.
fn layers(args: &RunArgs) -> Result<Layers, RunError> {
    let mut flags = Vec::new();
    let mut flag = |key, value: Option<Value>| flags.extend(value.map(|value| (key, value)));
    flag("data.path", data_path(args)?);
    flag("data.holdout", args.holdout.map(Value::Float));
    flag("run.seed", args.seed.map(|seed| integer("--seed", seed)).transpose()?);
    flag(
        "train.epochs",
        args.epochs.map(|epochs| integer("--epochs", epochs)).transpose()?,
    );
    flag(
        "train.batch_size",
        args.batch_size
            .map(|size| integer("--batch-size", size as u64))
            .transpose()?,
    );
    flag(
        "data.workers",
        args.workers
            .map(|workers| integer("--workers", workers as u64))
            .transpose()?,
    );
    Ok(Layers {
        recipe: args.config.clone(),
        sets: args.sets.clone(),
        flags,
    })
}

/// The value of `--data`; a config is text.
fn data_path(args: &RunArgs) -> Result<Option<Value>, RunError> {
    let Some(path) = &args.data else { return Ok(None) };
    let text = path.to_str();
    let text = text.ok_or_else(|| RunError::usage(DataPathError::NotUnicode(path.clone())))?;
    Ok(Some(Value::String(text.to_owned())))
}

/// TOML's integers are signed.
fn integer(flag: &str, value: u64) -> Result<Value, RunError> {
    let value = i64::try_from(value)
        .map_err(|_| RunError::usage(format!("{flag} {value}: the largest number possible is {}", i64::MAX)))?;
    Ok(Value::Integer(value))
}

/// The request of `pretrain`.
pub(super) fn pretrain(
    args: &RunArgs,
    pretrain: &PretrainArgs,
    stop: StopFlag,
    group: &Arc<dyn Group>,
) -> Result<(Selected, RunRequest), RunError> {
    let (origin, recipe, config) = match args.resume {
        true => resume(args)?,
        false => fresh(args, pretrain.from.as_deref())?,
    };
    // Each process of a machine takes a device of its own, if there are as many.
    let place = group.place();
    let own = args.device.or((place.size > 1).then_some(place.local_rank));
    let selected = match select(args.backend, own) {
        Err(BackendError::OutOfRange { .. }) if args.device.is_none() => select(args.backend, None),
        selected => selected,
    };
    let selected = selected.map_err(RunError::usage)?;
    let request = RunRequest {
        recipe,
        config,
        label: selected.label(),
        origin,
        images: None,
        console: Arc::new(Terminal::new(args.quiet)),
        stop,
        profile: args.profile,
        dry_run: args.dry_run,
        baselines: pretrain.cell_of.clone(),
        group: group.clone(),
    };
    Ok((selected, request))
}

/// The request of `study`.
pub(super) fn study(args: &RunArgs, study: &StudyArgs, stop: StopFlag) -> Result<StudyRequest, RunError> {
    let source = StudySource::find(&study.study).map_err(RunError::usage)?;
    runs_of(args, source, (&study.seeds, &study.cells), &study.jobs, stop)
}

/// The request of `pretrain --seeds`.
pub(super) fn seeds(args: &RunArgs, pretrain: &PretrainArgs, stop: StopFlag) -> Result<StudyRequest, RunError> {
    runs_of(args, StudySource::Seeds, (&pretrain.seeds, &[]), &pretrain.jobs, stop)
}

fn runs_of(
    args: &RunArgs,
    source: StudySource,
    (seeds, cells): (&[u64], &[String]),
    jobs: &JobsArgs,
    stop: StopFlag,
) -> Result<StudyRequest, RunError> {
    let selected = select(args.backend, args.device).map_err(RunError::usage)?;
    let device = args.device.map(|device| ["--device".to_owned(), device.to_string()]);
    let backend = ["--backend".to_owned(), selected.backend.to_owned()];
    Ok(StudyRequest {
        source,
        layers: layers(args)?,
        seeds: seeds.to_vec(),
        only: cells.to_vec(),
        out: args.out.clone(),
        resume: args.resume,
        jobs: jobs.jobs.unwrap_or(NonZeroUsize::MIN),
        threads: args.threads.unwrap_or_else(rayon::current_num_threads),
        on_host: selected.backend == "cpu",
        program: std::env::current_exe().map_err(anyhow::Error::from)?,
        args: backend
            .into_iter()
            .chain(device.into_iter().flatten())
            .map(Into::into)
            .collect(),
        dry_run: args.dry_run,
        console: Arc::new(Terminal::new(args.quiet)),
        stop,
    })
}

fn fresh(args: &RunArgs, from: Option<&str>) -> Result<(RunOrigin, String, Config), RunError> {
    let mut layers = layers(args)?;
    let mut weights = None;
    let mut name = None;
    if let Some(from) = from {
        let read = Weights::read(from).map_err(RunError::Usage)?;
        let run = RunDir::open(Path::new(split_last(from).0));
        // Weights of a run continue with its own recipe, unless another one is named.
        if let (Ok(run), None) = (run, &layers.recipe) {
            layers.recipe = Layers::of_file(&run.config()).recipe;
            name = Some("continued".to_owned());
        }
        weights = Some(read);
    }
    let own = name.is_some();
    if own && args.data.is_some() {
        layers.flags.extend(any_format(args));
    }
    let (recipe, mut config) = load_ours(&layers)?;
    if own {
        forget_default_rates(&layers, &mut config)?;
        take_all_of_other_images(args, &mut config);
    }
    let recipe = name.unwrap_or(recipe);
    let root = args.out.clone().unwrap_or_else(|| default_root(&recipe));
    Ok((RunOrigin::New { root, weights }, recipe, config))
}

/// A run stores its rates as numbers, including defaults; for another batch size or optimiser the defaults are chosen again.
fn forget_default_rates(layers: &Layers, config: &mut Config) -> Result<(), RunError> {
    let given = |set: &String| set.starts_with("optimizer.learning_rate");
    let file = Layers {
        recipe: layers.recipe.clone(),
        ..Layers::default()
    };
    let (_, stored) = load(&file).map_err(RunError::usage)?;
    let mut defaults = stored.clone();
    defaults.optimizer.learning_rate_weights = None;
    defaults.optimizer.learning_rate_biases = None;
    if defaults.validate().is_err() || layers.sets.iter().any(given) {
        return Ok(());
    }
    settle_rates(&mut defaults);
    if defaults.optimizer == stored.optimizer {
        config.optimizer.learning_rate_weights = None;
        config.optimizer.learning_rate_biases = None;
    }
    Ok(())
}

/// Other images may have another layout than the run's: the format is detected unless it is given.
fn any_format(args: &RunArgs) -> Option<(&'static str, Value)> {
    let given = args.sets.iter().any(|set| set.starts_with("data.format"));
    (!given).then(|| ("data.format", Value::String(DataFormat::Auto.to_string())))
}

/// Whether `--set` gives a key.
fn is_set(args: &RunArgs, key: &str) -> bool {
    let mut keys = args.sets.iter().filter_map(|set| set.split('=').next());
    keys.any(|set| set.trim() == key)
}

/// What a run used of its own data set, and how it was read, does not apply to another one.
fn take_all_of_other_images(args: &RunArgs, config: &mut Config) {
    if args.data.is_none() {
        return;
    }
    let given = |key: &str| is_set(args, key);
    let data = &mut config.data;
    if !given("data.train_images") {
        data.train_images = None;
    }
    if !given("data.holdout") && args.holdout.is_none() {
        data.holdout = None;
    }
    if !given("data.train") {
        data.train = None;
    }
    if !given("data.test") {
        data.test = None;
    }
    if !given("data.list_root") {
        data.list_root = None;
    }
    if !given("data.columns") {
        data.columns = None;
    }
}

/// A resumed run has its own config, which flags and a named recipe may change.
fn resume(args: &RunArgs) -> Result<(RunOrigin, String, Config), RunError> {
    let run = match &args.out {
        Some(root) => RunDir::open(root).map_err(|_| RunDirError::NothingToResume(root.clone())),
        None => RunDir::newest(Path::new("runs")),
    }
    .map_err(RunError::usage)?;
    let own = Layers::of_file(&run.config());
    let (_, stored) = load_ours(&own)?;
    let given = layers(args)?;
    let recipe = given.recipe.or(own.recipe);
    let given = load_ours(&Layers { recipe, ..given })?.1;
    let name = run
        .root()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let origin = RunOrigin::Resume {
        run,
        stored: Box::new(stored),
        accept_changes: args.accept_changes,
    };
    Ok((origin, name, given))
}

/// The images of the config with their folder, as they lie there: all of them, no cache, nothing decoded yet.
pub(super) fn images(args: &RunArgs, console: &Terminal) -> Result<(PathBuf, Sources), RunError> {
    let (_, mut config) = config(args)?;
    config.data.train_images = None;
    config.data.cache = DataCache::Named(CacheName::Off);
    // The set's own statistics would be a pass over all images.
    config.data.normalize = Normalize::Named(NormalizeName::Imagenet);
    let root = locate_data(&config.data.path).map_err(RunError::usage)?;
    let sources = sources::open(&config, true, &|line| console.line(line)).map_err(RunError::usage)?;
    Ok((root, sources))
}

/// The request of `finetune`.
pub(super) fn finetune(args: &RunArgs, finetune: &FinetuneArgs, stop: StopFlag) -> Result<FinetuneRequest, RunError> {
    let default = FinetuneSettings::default();
    let FinetuneArgs {
        fraction,
        list,
        baseline,
        rate,
        backbone_rate,
        warmup_epochs,
        schedule,
        ..
    } = finetune;
    let schedule = match schedule {
        ScheduleArg::Cosine => FinetuneSchedule::Cosine,
        ScheduleArg::Step => FinetuneSchedule::Step,
    };
    let backbone_rate = &backbone_rate.unwrap_or(schedule.backbone_rate());
    let is_rate = |rate: &f64| *rate >= 0.0 && rate.is_finite();
    if !(is_rate(rate) && *rate > 0.0 && is_rate(backbone_rate) && is_rate(warmup_epochs)) {
        return Err(RunError::usage(
            "--rate must be above 0, and --backbone-rate and --warmup-epochs at least 0",
        ));
    }
    let fractions = if fraction.is_empty() {
        &vec![0.01, 0.1]
    } else {
        fraction
    };
    if let Some(fraction) = fractions
        .iter()
        .find(|fraction| !(**fraction > 0.0 && **fraction <= 1.0))
    {
        return Err(RunError::usage(format!(
            "--fraction {fraction}: it must be above 0 and at most 1, such as 0.1"
        )));
    }
    let parts = match list {
        Some(list) => vec![LabelledPart::Names(
            std::path::absolute(list).unwrap_or_else(|_| list.clone()),
        )],
        None => fractions
            .iter()
            .map(|&fraction| LabelledPart::Fraction(fraction))
            .collect(),
    };
    Ok(FinetuneRequest {
        evaluation: evaluation(args, &finetune.probe, stop)?,
        parts,
        baseline: *baseline,
        settings: FinetuneSettings {
            epochs: args.epochs.unwrap_or(default.epochs),
            batch_size: args.batch_size.unwrap_or(default.batch_size),
            rate: *rate,
            backbone_rate: *backbone_rate,
            warmup_epochs: *warmup_epochs,
            schedule,
            ..default
        },
    })
}

/// The request of `detect`. `--set` is of the detector's recipe, not of the run's.
pub(super) fn detect(args: &RunArgs, detect: &DetectArgs, stop: StopFlag) -> Result<DetectRequest, RunError> {
    let batch_size = args.batch_size.map(|size| integer("--batch-size", size as u64));
    let layers = Layers {
        recipe: args.config.clone(),
        sets: args.sets.clone(),
        flags: batch_size
            .transpose()?
            .map(|size| ("train.batch_size", size))
            .into_iter()
            .collect(),
    };
    let (name, recipe) = load_detect_recipe(&layers).map_err(RunError::usage)?;
    let of_run = RunArgs {
        sets: Vec::new(),
        ..args.clone()
    };
    let mut starts = vec![DetectorStart::PreTrained];
    for baseline in &detect.baseline {
        let start = match baseline {
            DetectBaselineArg::Random => DetectorStart::Random,
            DetectBaselineArg::Frozen => DetectorStart::Frozen,
        };
        if !starts.contains(&start) {
            starts.push(start);
        }
    }
    Ok(DetectRequest {
        evaluation: evaluation(&of_run, &detect.probe, stop)?,
        name,
        recipe,
        task: match detect.task {
            DetectTaskArg::Box => DetectTask::Box,
            DetectTaskArg::Mask => DetectTask::Mask,
        },
        starts,
    })
}

/// The request of `embed`.
pub(super) fn embed(args: &RunArgs, embed: &EmbedArgs, stop: StopFlag) -> Result<EmbeddingRequest, RunError> {
    let console = Terminal::new(args.quiet);
    let file = Path::new(&embed.from);
    let (network, mut config) = if file.is_file() {
        let (imported, config) = import_of(args, file)?;
        imported.lines().iter().for_each(|line| console.line(line));
        (GivenNetwork::of_file(embed.from.clone(), &imported)?, config)
    } else {
        let (run, last, config) = config_of_run(args, &embed.from)?;
        let kept = Checkpoint::chosen(&run, last)?;
        let checkpoint = kept.checkpoint.ok_or_else(|| no_checkpoint(&run))?;
        let root = run.root().display().to_string();
        let network = GivenNetwork::of_checkpoint(&root, &checkpoint, &kept.damaged, &config);
        (network, config)
    };
    network.damaged.iter().for_each(|line| console.warn(line));
    if config.data.path.as_os_str().is_empty() {
        return Err(RunError::usage("embed needs images; pass --data DIR"));
    }
    // A pass over images that are read once.
    config.data.cache = DataCache::Named(CacheName::Off);
    config.data.train_images = None;
    config.data.holdout = None;
    Ok(EmbeddingRequest {
        network,
        config,
        layer: match embed.layer {
            LayerArg::Representation => Layer::Representation,
            LayerArg::Embedding => Layer::Embedding,
        },
        out: args.out.clone().unwrap_or_else(|| PathBuf::from("features.npy")),
        selected: evaluation_device(args)?,
        console,
        stop,
    })
}

/// The request of `import`: the file, the config of its network, and the folder of the run.
pub(super) fn import(args: &RunArgs, file: &Path) -> Result<(ImportedFile, Config, PathBuf), RunError> {
    let (imported, config) = import_of(args, file)?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let out = args.out.clone().unwrap_or_else(|| default_root(&stem));
    Ok((imported, config, out))
}

/// A file of weights and the config of its network: what the file tells, unless `--set` says otherwise, over the named recipe or
/// one that suits the network.
fn import_of(args: &RunArgs, file: &Path) -> Result<(ImportedFile, Config), RunError> {
    let imported = ImportedFile::open(file).map_err(RunError::Usage)?;
    let mut layers = layers(args)?;
    layers.recipe = layers.recipe.or_else(|| Some(imported.recipe().to_owned()));
    let keys = imported.config_keys().into_iter().filter(|(key, _)| !is_set(args, key));
    layers.flags.extend(keys);
    // The recipe's own images are not the network's.
    if args.data.is_none() && !is_set(args, "data.path") {
        layers.flags.push(("data.path", Value::String(String::new())));
    }
    layers.flags.extend(any_format(args));
    let (_, mut config) = load_ours(&layers)?;
    take_all_of_other_images(args, &mut config);
    imported.check(&config).map_err(RunError::Usage)?;
    Ok((imported, config))
}

/// The request of `export`.
pub(super) fn export(args: &RunArgs, export: &ExportArgs, console: &Terminal) -> Result<ExportRequest, RunError> {
    let (run, last, config) = config_of_run(args, &export.from)?;
    let kept = Checkpoint::chosen(&run, last)?;
    for Damaged { error, .. } in &kept.damaged {
        console.warn(&format!("{error:#}"));
    }
    let part = match export.what {
        WhatArg::Backbone => ExportPart::Backbone,
        WhatArg::Full => ExportPart::Full,
    };
    let default = || run.root().join("export").join(export.format.default_name(part));
    Ok(ExportRequest {
        name: run
            .root()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        checkpoint: kept.checkpoint.ok_or_else(|| no_checkpoint(&run))?,
        summary: run.read_summary(),
        config,
        format: export.format,
        part,
        out: args.out.clone().unwrap_or_else(default),
    })
}

fn no_checkpoint(run: &RunDir) -> RunError {
    RunError::usage(NoCheckpoint(run.root().to_owned()))
}

/// A run that `--from` names, whether its last checkpoint is meant, and its config with the command line's changes.
fn config_of_run(args: &RunArgs, from: &str) -> Result<(RunDir, bool, Config), RunError> {
    let (root, last) = split_last(from);
    let run = RunDir::open(&PathBuf::from(root)).map_err(RunError::usage)?;
    let mut layers = Layers {
        sets: args.sets.clone(),
        ..Layers::of_file(&run.config())
    };
    if let Some(data) = data_path(args)? {
        layers.flags.push(("data.path", data));
        layers.flags.extend(any_format(args));
    }
    layers
        .flags
        .extend(args.holdout.map(|fraction| ("data.holdout", Value::Float(fraction))));
    let (_, mut config) = load_ours(&layers)?;
    take_all_of_other_images(args, &mut config);
    Ok((run, last, config))
}

/// The device of an evaluation.
fn evaluation_device(args: &RunArgs) -> Result<Selected, RunError> {
    // Features of a few thousand images are not worth the start-up of a GPU unless one is requested.
    let choice = if args.backend == BackendChoice::Auto {
        BackendChoice::Cpu
    } else {
        args.backend
    };
    select(choice, args.device).map_err(RunError::usage)
}

/// The settings of the official linear protocol; `None` for the exact one.
pub(super) fn linear_protocol(args: &RunArgs, linear: &LinearArgs) -> Result<Option<SgdProtocol>, RunError> {
    if linear.protocol == ProtocolArg::Exact {
        return Ok(None);
    }
    let default = SgdProtocol::default();
    let or = |given: &Vec<f64>, default: Vec<f64>| if given.is_empty() { default } else { given.clone() };
    let protocol = SgdProtocol {
        epochs: args.epochs.unwrap_or(default.epochs),
        batch_size: args.batch_size.unwrap_or(default.batch_size),
        rates: or(&linear.rates, default.rates),
        weight_decays: or(&linear.weight_decays, default.weight_decays),
        ..default
    };
    let positive = |value: &f64| *value > 0.0 && value.is_finite();
    if let Some(rate) = protocol.rates.iter().find(|rate| !positive(rate)) {
        return Err(RunError::usage(format!("--rates {rate}: a rate must be above 0")));
    }
    if let Some(decay) = protocol
        .weight_decays
        .iter()
        .find(|decay| !(positive(decay) || **decay == 0.0))
    {
        return Err(RunError::usage(format!(
            "--weight-decays {decay}: a decay cannot be negative"
        )));
    }
    if protocol.epochs == 0 || protocol.batch_size < 2 {
        return Err(RunError::usage(
            "linear needs --epochs of at least 1 and a --batch-size of at least 2",
        ));
    }
    Ok(Some(protocol))
}

/// The task of `transfer`, and the ways in which features are taken.
pub(super) fn transfer(args: &RunArgs, transfer: &TransferArgs) -> Result<(Task, Vec<FeatureOptions>), RunError> {
    let layer = |arg: &FeaturesArg| match arg {
        FeaturesArg::Avgpool => FeatureLayer::Pooled,
        FeaturesArg::Quarters => FeatureLayer::Quarters,
    };
    let options = transfer.features.iter().flat_map(|features| {
        let resized = transfer.resize.iter();
        resized.map(move |resize| FeatureOptions {
            layer: layer(features),
            squash: *resize == ResizeArg::Squash,
            cache: None,
        })
    });
    let options: Vec<FeatureOptions> = options.collect();
    let is_head = transfer.task == TaskArg::Head;
    if !is_head && (args.epochs.is_some() || args.batch_size.is_some() || transfer.drops != DropsArg::default()) {
        return Err(RunError::usage(
            "--epochs, --batch-size and --drops are settings of --task head; the other tasks converge",
        ));
    }
    if is_head && options.iter().any(|options| options.squash) {
        return Err(RunError::usage(
            "--resize squash is a setting of the tasks linear and svm; --task head trains on random crops",
        ));
    }
    let task = match transfer.task {
        TaskArg::Linear => Task::Linear,
        TaskArg::Svm => Task::Svm,
        TaskArg::Head => {
            let (epochs, batch_size) = (args.epochs.unwrap_or(14), args.batch_size.unwrap_or(256));
            if epochs == 0 || batch_size < 2 {
                return Err(RunError::usage(
                    "transfer needs --epochs of at least 1 and a --batch-size of at least 2",
                ));
            }
            let schedule = match transfer.drops {
                DropsArg::Vissl => SgdSchedule::three_steps(epochs),
                DropsArg::Paper => SgdSchedule::two_steps(epochs),
            };
            let protocol = |arg| SgdProtocol::normed(epochs, batch_size, schedule.clone(), layer(arg));
            Task::Head(transfer.features.iter().map(protocol).collect())
        }
    };
    Ok((task, options))
}

/// The request of an evaluation of finished runs.
pub(super) fn evaluation(args: &RunArgs, probe: &ProbeArgs, stop: StopFlag) -> Result<EvaluationRequest, RunError> {
    let run = |from: &String| {
        let (run, last, config) = config_of_run(args, from)?;
        Ok(EvaluatedRun { run, last, config })
    };
    let runs: Vec<EvaluatedRun> = probe.from.iter().map(run).collect::<Result<_, RunError>>()?;
    let seeds = match (probe.seeds.as_slice(), args.seed) {
        ([], seed) => vec![seed.unwrap_or(0)],
        (_, Some(_)) => return Err(RunError::usage("--seed and --seeds are both given; remove one of them")),
        (seeds, None) => seeds.to_vec(),
    };
    let mut once = std::collections::HashSet::new();
    if let Some(seed) = seeds.iter().find(|seed| !once.insert(**seed)) {
        return Err(RunError::usage(format!(
            "--seeds names {seed} twice; name each seed once"
        )));
    }
    let mut once = std::collections::HashSet::new();
    if let Some(run) = runs.iter().find(|run| !once.insert(run.run.root())) {
        let run = run.run.root().display();
        return Err(RunError::usage(format!("--from names {run} twice; name each run once")));
    }
    let selected = evaluation_device(args)?;
    Ok(EvaluationRequest {
        runs,
        seeds,
        untrained: probe.untrained,
        cache: !probe.no_cache,
        label: selected.label(),
        device: selected.device,
        console: Arc::new(Terminal::new(args.quiet)),
        stop,
    })
}
