//! What a resumed run must have in common with its checkpoint.

use crate::checkpoint::{Checkpoint, Progress};
use crate::config::{Change, Config, changes, rule};
use crate::error::RunError;
use crate::plan::Plan;
use crate::run_dir::RunDir;
use crate::sources::Images;
use anyhow::Context;

/// Other images would be other batches under the same step numbers.
pub(super) fn check_images(checkpoint: &Checkpoint, now: &Images) -> Result<(), RunError> {
    let before = &checkpoint.progress.images;
    if before == now {
        return Ok(());
    }
    let what = if before.count == now.count {
        format!(
            "the run was started on {} training images with other names or labels",
            before.count
        )
    } else {
        format!(
            "the run was started on {} training images and there are {} now",
            before.count, now.count
        )
    };
    Err(RunError::usage(format!(
        "{what}; restore the data set, or start a new run with pretrain --from"
    )))
}

/// A run cannot be shorter than it is already.
pub(super) fn check_length(checkpoint: &Checkpoint, plan: &Plan) -> Result<(), RunError> {
    let (done, total) = (checkpoint.progress.step, plan.schedule.total_steps);
    if done <= total {
        return Ok(());
    }
    Err(RunError::usage(format!(
        "the run has made {done} steps already, more than the {total} of train.epochs = {}; pass more --epochs",
        plan.config.train.epochs
    )))
}

/// Another method, or the same one made of other parts, would read other weights and states under the same names.
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
            "the checkpoint was made by another method or form of it ({part} was {}, and is {} now); resume it with the program and \
             config that made it, or start a new run with pretrain --from",
            before[part], now[part]
        )));
    }
    let now = rule(&plan.config).name();
    match optimizer {
        Some(before) if before != now => Err(RunError::usage(format!(
            "the checkpoint's optimiser state is that of {before}, and optimizer.kind is {now}; undo it, or start a new run with \
             pretrain --from"
        ))),
        _ => Ok(()),
    }
}

/// A `config.toml` that was edited differs from what the checkpoint remembers.
pub(super) fn check_changes_since(
    run: &RunDir,
    checkpoint: &Checkpoint,
    config: &Config,
    accept: bool,
) -> Result<Vec<Change>, RunError> {
    let before: Config = toml::from_str(&checkpoint.progress.config)
        .context("the checkpoint's config cannot be read")
        .map_err(RunError::Usage)?;
    check_changes(run, &before, config, accept)
}

/// What changes. Two schedules in one run would be told of as one, so a change has to be asked for; some cannot be had.
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
            "the config differs from that of {root} in what cannot change in the middle of a run: {}; undo it, or start a new \
             run with pretrain --from {root}",
            listed(&fixed)
        )));
    }
    if changes.is_empty() || accept {
        return Ok(changes);
    }
    Err(RunError::usage(format!(
        "the config differs from that of {root}: {}; undo it, or pass --accept-changes to go on with the new one",
        listed(&changes.iter().collect::<Vec<_>>())
    )))
}
