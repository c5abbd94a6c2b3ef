//! Checks that images, schedule, method and config of a resumed run are compatible with its checkpoint.

use crate::checkpoint::{Checkpoint, Progress};
use crate::config::{Change, Config, changes, rule};
use crate::error::RunError;
use crate::plan::Plan;
use crate::run_dir::RunDir;
use crate::sources::Images;
use anyhow::Context;

/// Checks that the training images are those of the checkpoint: other images would give different batches at the same step
/// numbers.
pub(super) fn check_images(checkpoint: &Checkpoint, now: &Images) -> Result<(), RunError> {
    let before = &checkpoint.progress.images;
    if before.count == 0 {
        return Err(RunError::usage(
            "the run holds imported weights and has made no step; start a run from them with pretrain --from",
        ));
    }
    if before == now {
        return Ok(());
    }
    let what = if before.count == now.count {
        format!(
            "the run was started with {} training images, and their names or labels have changed since",
            before.count
        )
    } else {
        format!(
            "the run was started with {} training images, and there are {} now",
            before.count, now.count
        )
    };
    Err(RunError::usage(format!(
        "{what}; restore the data set, or start a new run with pretrain --from"
    )))
}

/// Checks that the checkpoint is not beyond the last step of the schedule: steps that were made cannot be undone.
pub(super) fn check_length(checkpoint: &Checkpoint, plan: &Plan) -> Result<(), RunError> {
    let (done, total) = (checkpoint.progress.step, plan.schedule.total_steps);
    if done <= total {
        return Ok(());
    }
    Err(RunError::usage(format!(
        "the run has already completed {done} steps, more than the {total} of train.epochs = {}; pass a larger --epochs",
        plan.config.train.epochs
    )))
}

/// Checks that the method and the update rule are those of the checkpoint. A different method, or the same one with different
/// parts, would misread the checkpoint's weights and state, because their names are the same.
pub(super) fn check_method(checkpoint: &Checkpoint, plan: &Plan) -> Result<(), RunError> {
    let Progress { method, optimizer, .. } = &checkpoint.progress;
    let now = plan.method.identity();
    if let Some(before) = method
        && *before != now
    {
        let part = before
            .as_object()
            .and_then(|before| before.keys().find(|key| before.get(*key) != now.get(key.as_str())));
        let part = part.map_or("kind", String::as_str);
        return Err(RunError::usage(format!(
            "the checkpoint belongs to a different method or variant ({part} was {} and is now {}); resume with the program and \
             config that wrote it, or start a new run with pretrain --from",
            before[part], now[part]
        )));
    }
    let now = rule(&plan.config).name();
    match optimizer {
        Some(before) if before != now => Err(RunError::usage(format!(
            "the checkpoint has the optimiser state of {before}, but optimizer.kind is {now}; revert it, or start a new \
             run with pretrain --from"
        ))),
        _ => Ok(()),
    }
}

/// Checks the config against the one in the checkpoint, which also detects an edited `config.toml`. Returns the differences.
///
/// # Errors
/// As [`check_changes`], or if the checkpoint's config cannot be parsed.
pub(super) fn check_changes_since(
    run: &RunDir,
    checkpoint: &Checkpoint,
    config: &Config,
    accept: bool,
) -> Result<Vec<Change>, RunError> {
    let before: Config = toml::from_str(&checkpoint.progress.config)
        .context("cannot parse the config in the checkpoint")
        .map_err(RunError::Usage)?;
    check_changes(run, &before, config, accept)
}

/// Checks the config against an earlier one of the run. Returns the differences.
///
/// The log and the report would present two schedules as a single one, so a change must be accepted explicitly. Some keys cannot
/// change at all.
///
/// # Errors
/// [`RunError::Usage`] with every changed key and both its values: if a key that is fixed for the run differs, or any key
/// differs and `accept` is false.
pub(super) fn check_changes(
    run: &RunDir,
    before: &Config,
    config: &Config,
    accept: bool,
) -> Result<Vec<Change>, RunError> {
    let changes = changes(before, config);
    let root = run.root().display();
    let listed = |changes: &[&Change]| {
        let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
        lines.join(", ")
    };
    let fixed: Vec<&Change> = changes.iter().filter(|change| !change.is_allowed()).collect();
    if !fixed.is_empty() {
        return Err(RunError::usage(format!(
            "the config differs from that of {root} in keys that cannot change during a run: {}; revert them, or start a new run \
             with pretrain --from {root}",
            listed(&fixed)
        )));
    }
    if changes.is_empty() || accept {
        return Ok(changes);
    }
    Err(RunError::usage(format!(
        "the config differs from that of {root}: {}; revert the changes, or pass --accept-changes to resume with them",
        listed(&changes.iter().collect::<Vec<_>>())
    )))
}
