//! What the command line means: configs are read, devices and folders found. Nothing is written or trained here.

use super::args::RunArgs;
use crate::backend::{BackendChoice, select};
use crate::commands::pretrain::{Request, Start};
use crate::commands::probe::ProbeRequest;
use crate::config::{Config, Layers, load};
use crate::error::AppError;
use crate::run_dir::{RunDir, RunDirError, default_root};
use std::path::{Path, PathBuf};
use toml::Value;

/// Sizes the pool that decodes images and that the CPU backend computes on.
pub(super) fn set_threads(args: &RunArgs) -> Result<(), AppError> {
    let Some(threads) = args.threads else { return Ok(()) };
    if threads == 0 {
        return Err(AppError::usage(
            "--threads 0: at least one thread is needed; leave it out to take all cores",
        ));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    pool.map_err(|error| AppError::usage(format!("--threads {threads}: {error}")))
}

/// Recipe and overrides of the command line.
pub(super) fn config(args: &RunArgs) -> Result<(String, Config), AppError> {
    let mut flags = Vec::new();
    let mut flag = |key, value: Option<Value>| flags.extend(value.map(|value| (key, value)));
    flag(
        "data.path",
        args.data
            .as_ref()
            .map(|path| Value::String(path.to_string_lossy().into_owned())),
    );
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
    load(&Layers {
        recipe: args.config.clone(),
        sets: args.sets.clone(),
        flags,
    })
    .map_err(AppError::usage)
}

/// TOML's integers are signed.
fn integer(flag: &str, value: u64) -> Result<Value, AppError> {
    let value = i64::try_from(value)
        .map_err(|_| AppError::usage(format!("{flag} {value}: the largest number possible is {}", i64::MAX)))?;
    Ok(Value::Integer(value))
}

/// What `pretrain` is to do.
pub(super) fn pretrain(args: &RunArgs) -> Result<Request, AppError> {
    let (start, recipe, config) = if args.resume { resume(args)? } else { fresh(args)? };
    let selected = select(args.backend, args.device).map_err(AppError::usage)?;
    Ok(Request {
        recipe,
        config,
        selected,
        start,
        dry_run: args.dry_run,
    })
}

fn fresh(args: &RunArgs) -> Result<(Start, String, Config), AppError> {
    let (recipe, config) = config(args)?;
    let root = args.out.clone().unwrap_or_else(|| default_root(&recipe));
    Ok((Start::New(root), recipe, config))
}

/// A resumed run has its own config; one that is given beside it must be the same.
fn resume(args: &RunArgs) -> Result<(Start, String, Config), AppError> {
    let run = match &args.out {
        Some(root) => RunDir::open(root).map_err(|_| RunDirError::NothingToResume(root.clone())),
        None => RunDir::newest(Path::new("runs")),
    }
    .map_err(AppError::usage)?;
    let stored = run.config().to_string_lossy().into_owned();
    let layers = Layers {
        recipe: Some(stored),
        sets: Vec::new(),
        flags: Vec::new(),
    };
    let (_, config) = load(&layers).map_err(AppError::usage)?;
    let given = args.config.is_some()
        || !args.sets.is_empty()
        || args.data.is_some()
        || args.seed.is_some()
        || args.epochs.is_some()
        || args.batch_size.is_some();
    if given && self::config(args)?.1 != config {
        return Err(AppError::usage(format!(
            "--resume continues {} with its own config, and the one given differs; leave the config flags out",
            run.root().display()
        )));
    }
    let recipe = run
        .root()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Ok((Start::Resume(run), recipe, config))
}

/// What a probe is to do.
pub(super) fn probe(args: &RunArgs, from: &str) -> Result<ProbeRequest, AppError> {
    let (root, last) = match from.strip_suffix("@last") {
        Some(root) => (root, true),
        None => (from, false),
    };
    let run = RunDir::open(&PathBuf::from(root)).map_err(AppError::usage)?;
    let stored = run.config().to_string_lossy().into_owned();
    let mut flags = Vec::new();
    if let Some(data) = &args.data {
        flags.push(("data.path", Value::String(data.to_string_lossy().into_owned())));
    }
    let layers = Layers {
        recipe: Some(stored),
        sets: args.sets.clone(),
        flags,
    };
    let (_, config) = load(&layers).map_err(AppError::usage)?;
    // Features of a few thousand images are not worth the start-up of a GPU unless it is asked for.
    let choice = if args.backend == BackendChoice::Auto {
        BackendChoice::Cpu
    } else {
        args.backend
    };
    let selected = select(choice, args.device).map_err(AppError::usage)?;
    Ok(ProbeRequest {
        run,
        last,
        config,
        selected,
    })
}
