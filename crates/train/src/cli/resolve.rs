//! Resolves the command line: reads configs, finds devices and folders. Nothing is written or trained here.

use super::args::RunArgs;
use crate::commands::probe::ProbeRequest;
use crate::console::Terminal;
use barlow_data::DataFormat;
use barlow_engine::config::{
    CacheName, Config, DataCache, DataPathError, Layers, MOST_THREADS, Normalize, NormalizeName, load, locate_data,
    settle_rates,
};
use barlow_engine::console::Console;
use barlow_engine::device::RunRequest;
use barlow_engine::error::RunError;
use barlow_engine::run::RunOrigin;
use barlow_engine::run_dir::{RunDir, RunDirError, default_root};
use barlow_engine::sources::{self, Sources};
use barlow_engine::stop::StopFlag;
use barlow_engine::weights::{Weights, split_last};
use barlow_train::device::{BackendChoice, Selected, select};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Value;

/// Sizes the pool that decodes images and that the CPU backend computes on.
pub(super) fn set_threads(args: &RunArgs) -> Result<(), RunError> {
    let Some(threads) = args.threads else { return Ok(()) };
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
pub(super) fn pretrain(args: &RunArgs, from: Option<&str>, stop: StopFlag) -> Result<(Selected, RunRequest), RunError> {
    let (origin, recipe, config) = if args.resume { resume(args)? } else { fresh(args, from)? };
    let selected = select(args.backend, args.device).map_err(RunError::usage)?;
    let request = RunRequest {
        recipe,
        config,
        label: selected.label(),
        origin,
        console: Arc::new(Terminal::new(args.quiet)),
        stop,
        profile: args.profile,
        dry_run: args.dry_run,
    };
    Ok((selected, request))
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

/// What a run used of its own data set, and how it was read, does not apply to another one.
fn take_all_of_other_images(args: &RunArgs, config: &mut Config) {
    if args.data.is_none() {
        return;
    }
    let given = |key: &str| {
        args.sets
            .iter()
            .any(|set| set.split('=').next().is_some_and(|set| set.trim() == key))
    };
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

/// The request of a probe.
pub(super) fn probe(args: &RunArgs, from: &str, stop: StopFlag) -> Result<ProbeRequest, RunError> {
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
    // Features of a few thousand images are not worth the start-up of a GPU unless one is requested.
    let choice = if args.backend == BackendChoice::Auto {
        BackendChoice::Cpu
    } else {
        args.backend
    };
    let selected = select(choice, args.device).map_err(RunError::usage)?;
    Ok(ProbeRequest {
        run,
        last,
        config,
        selected,
        console: Terminal::new(args.quiet),
        stop,
    })
}
