//! How a run begins: in a new folder, or where an earlier session left it.

use super::compatibility;
use crate::checkpoint::{Checkpoint, Damaged};
use crate::config::{Change, Config, Layers, ResolvedConfig, changes, load};
use crate::console::Console;
use crate::error::RunError;
use crate::files::write_atomic;
use crate::plan::Plan;
use crate::run_dir::{RunDir, RunLock};
use crate::sources::Sources;
use crate::summary::Summary;
use crate::weights::Weights;
use std::path::{Path, PathBuf};

/// A new run or an old one.
pub enum RunOrigin {
    /// A new run.
    New {
        /// Its folder.
        root: PathBuf,
        /// Weights to start from, with the checkpoints that were damaged.
        weights: Option<(Weights, Vec<Damaged>)>,
    },
    /// A run that was started before.
    Resume {
        /// The run.
        run: RunDir,
        /// Its `config.toml`.
        stored: Box<Config>,
        /// Go on although the config differs.
        accept_changes: bool,
    },
}

/// A run's folder that no other process writes to, and what it begins with.
pub(super) struct OpenFolder {
    pub run: RunDir,
    pub lock: RunLock,
    pub weights: Option<Weights>,
    /// Where an earlier session left it; none in a new run.
    pub checkpoint: Option<Checkpoint>,
    /// In which keys the config differs from that session's.
    pub changed: Vec<Change>,
}

impl RunOrigin {
    /// The run that lies in `root`, with the config that it has; a new one if none does.
    ///
    /// # Errors
    /// If the run's config cannot be read.
    pub fn at(root: &Path) -> Result<Self, RunError> {
        let Ok(run) = RunDir::open(root) else {
            let root = root.to_owned();
            return Ok(Self::New { root, weights: None });
        };
        let (_, stored) = load(&Layers::of_file(&run.config())).map_err(RunError::usage)?;
        Ok(Self::Resume {
            run,
            stored: Box::new(stored),
            accept_changes: false,
        })
    }

    /// Checks whether the run can begin so, before a large data set is read. Gives the result of a run that is finished.
    ///
    /// # Errors
    /// If the folder holds something else, or the config differs in a way that was not accepted.
    pub(super) fn finished(&self, config: &ResolvedConfig) -> Result<Option<Summary>, RunError> {
        match self {
            Self::New { root, .. } => {
                RunDir::check_free(root).map_err(RunError::usage)?;
                Ok(None)
            }
            Self::Resume {
                run,
                stored,
                accept_changes,
            } => {
                // Nothing was computed yet: any config may take the place of the one that is there.
                if !run.has_checkpoints() {
                    return Ok(None);
                }
                let changed = compatibility::check_changes(run, stored, config, *accept_changes)?;
                Ok(summary(run).filter(|_| changed.is_empty()))
            }
        }
    }

    /// The config that a run to resume has stored.
    pub fn stored(&self) -> Option<&Config> {
        match self {
            Self::New { .. } => None,
            Self::Resume { stored, .. } => Some(stored),
        }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        match self {
            Self::New { root, .. } => root,
            Self::Resume { run, .. } => run.root(),
        }
    }

    /// The weights to start from.
    pub fn weights(&self) -> Option<&Weights> {
        match self {
            Self::New { weights, .. } => weights.as_ref().map(|(weights, _)| weights),
            Self::Resume { .. } => None,
        }
    }

    /// Makes the folder, or takes the newest checkpoint that is whole, and keeps every other process away.
    ///
    /// # Errors
    /// As [`RunOrigin::finished`], which comes first; and if the folder cannot be written, another process has it, or the images or the
    /// method are other ones.
    pub(super) fn open(self, plan: &Plan, sources: &Sources, console: &dyn Console) -> Result<OpenFolder, RunError> {
        match self {
            Self::New { root, weights } => {
                let (run, lock) = RunDir::claim(&root).map_err(RunError::usage)?;
                // With weights from elsewhere there is no run to resume before they are kept.
                if weights.is_none() {
                    write_atomic(&run.config(), plan.config.to_toml().as_bytes())?;
                }
                let weights = weights.map(|(weights, damaged)| {
                    for Damaged { error, .. } in damaged {
                        console.warn(&format!("{error:#}"));
                    }
                    weights
                });
                Ok(OpenFolder {
                    run,
                    lock,
                    weights,
                    checkpoint: None,
                    changed: Vec::new(),
                })
            }
            Self::Resume {
                run,
                stored,
                accept_changes,
            } => {
                let lock = run.lock().map_err(RunError::usage)?;
                let mut kept = Checkpoint::newest(&run)?;
                let changed = match &kept.checkpoint {
                    Some(checkpoint) => {
                        compatibility::check_images(checkpoint, &sources.images())?;
                        compatibility::check_length(checkpoint, plan)?;
                        compatibility::check_method(checkpoint, plan)?;
                        compatibility::check_changes_since(&run, checkpoint, &plan.config, accept_changes)?
                    }
                    None => changes(&stored, &plan.config),
                };
                kept.set_aside()?.iter().for_each(|line| console.warn(line));
                if !changed.is_empty() {
                    // The results of before are not this config's: the run is not finished any more.
                    run.remove_results()?;
                    write_atomic(&run.config(), plan.config.to_toml().as_bytes())?;
                }
                Ok(OpenFolder {
                    run,
                    lock,
                    weights: None,
                    checkpoint: kept.checkpoint,
                    changed,
                })
            }
        }
    }
}

/// The result of a run of which nothing is missing.
fn summary(run: &RunDir) -> Option<Summary> {
    let text = std::fs::read_to_string(run.summary()).ok()?;
    let complete = run.report().is_file() && run.backbone().is_file();
    complete.then(|| serde_json::from_str(&text).ok())?
}
