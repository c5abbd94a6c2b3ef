//! The origin of a run: a new folder, or the state that an earlier session saved.

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

/// A new run, or an existing one to resume.
pub enum RunOrigin {
    /// A new run.
    New {
        /// Its folder.
        root: PathBuf,
        /// Initial weights, and the damaged checkpoints that were skipped when they were read.
        weights: Option<(Weights, Vec<Damaged>)>,
    },
    /// An existing run.
    Resume {
        /// Its folder.
        run: RunDir,
        /// The config in its `config.toml`.
        stored: Box<Config>,
        /// Resume even if the config differs in keys that may change.
        accept_changes: bool,
    },
}

/// The locked folder of a run, with the state that the run starts from.
pub(super) struct OpenFolder {
    pub run: RunDir,
    /// Rank 0's.
    pub lock: Option<RunLock>,
    pub weights: Option<Weights>,
    /// The checkpoint to resume from; `None` if the run has none yet.
    pub checkpoint: Option<Checkpoint>,
    /// The keys in which the config differs from the checkpoint's, or from `config.toml` without a checkpoint.
    pub changed: Vec<Change>,
}

impl RunOrigin {
    /// The run in `root`, to be resumed without config changes; a new run if `root` holds none.
    ///
    /// # Errors
    /// [`RunError::Usage`] if the existing run's `config.toml` cannot be read.
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

    /// Checks the folder and the config, which is fast, before the data set is opened. Returns the summary if the run is
    /// finished.
    ///
    /// # Errors
    /// [`RunError::Usage`] if the folder of a new run holds a run or other files, or if the config differs from the stored one
    /// in a way that was not accepted.
    pub(super) fn finished(&self, config: &ResolvedConfig, is_first: bool) -> Result<Option<Summary>, RunError> {
        match self {
            Self::New { root, .. } => {
                // The first rank, which makes the folder, checks it for all.
                if is_first {
                    RunDir::check_free(root).map_err(RunError::usage)?;
                }
                Ok(None)
            }
            Self::Resume {
                run,
                stored,
                accept_changes,
            } => {
                // Nothing has been computed yet, so any config may replace the stored one.
                if !run.has_checkpoints() {
                    return Ok(None);
                }
                let changed = compatibility::check_changes(run, stored, config, *accept_changes)?;
                Ok(summary(run).filter(|_| changed.is_empty()))
            }
        }
    }

    /// The stored config of a run to resume; `None` for a new run.
    pub fn stored(&self) -> Option<&Config> {
        match self {
            Self::New { .. } => None,
            Self::Resume { stored, .. } => Some(stored),
        }
    }

    /// The run's folder.
    pub fn root(&self) -> &Path {
        match self {
            Self::New { root, .. } => root,
            Self::Resume { run, .. } => run.root(),
        }
    }

    /// The initial weights of a new run, if any were given.
    pub fn weights(&self) -> Option<&Weights> {
        match self {
            Self::New { weights, .. } => weights.as_ref().map(|(weights, _)| weights),
            Self::Resume { .. } => None,
        }
    }

    /// The folder that rank 0 has opened, as another rank sees it.
    pub(super) fn join(self, root: &Path, checkpoint: Option<Checkpoint>) -> OpenFolder {
        let weights = match self {
            Self::New { weights, .. } => weights.map(|(weights, _)| weights),
            Self::Resume { .. } => None,
        };
        OpenFolder {
            run: RunDir::of_another_rank(root),
            lock: None,
            weights,
            checkpoint,
            changed: Vec::new(),
        }
    }

    /// Creates the folder of a new run, or reads the newest usable checkpoint of an existing one. The folder is locked against
    /// other processes. Call [`RunOrigin::finished`] first.
    ///
    /// # Errors
    /// - [`RunError::Usage`] if the folder is taken, locked by another process or not writable, or if images, schedule, method or
    ///   config are not compatible with the checkpoint
    /// - [`RunError::Failed`] if a file cannot be read or written, or no checkpoint is usable
    pub(super) fn open(self, plan: &Plan, sources: &Sources, console: &dyn Console) -> Result<OpenFolder, RunError> {
        match self {
            Self::New { root, weights } => {
                let (run, lock) = RunDir::claim(&root).map_err(RunError::usage)?;
                // With initial weights, `config.toml` is written once they are saved in a checkpoint: it makes the folder
                // resumable, and without that checkpoint a resumed run would start from newly initialised weights.
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
                    lock: Some(lock),
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
                    // Existing results belong to the previous config: the run no longer counts as finished.
                    run.remove_results()?;
                    write_atomic(&run.config(), plan.config.to_toml().as_bytes())?;
                }
                Ok(OpenFolder {
                    run,
                    lock: Some(lock),
                    weights: None,
                    checkpoint: kept.checkpoint,
                    changed,
                })
            }
        }
    }
}

/// The summary of a run whose report and exported backbone exist, too; `None` if anything is missing.
fn summary(run: &RunDir) -> Option<Summary> {
    let text = std::fs::read_to_string(run.summary()).ok()?;
    let complete = run.report().is_file() && run.backbone().is_file();
    complete.then(|| serde_json::from_str(&text).ok())?
}
