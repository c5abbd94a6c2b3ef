//! The folder of a study: `study.lock`, the results, and for each run `CELL/seed-S/`, `CELL/seed-S.toml` (its config) and
//! `CELL/seed-S.log` (what it printed).
//!
//! Knows names and file systems only, and which configs a folder was begun with.

use super::cell_run::CellRun;
use super::error::StudyError;
use crate::config::{Change, Config, Layers, changes, load};
use crate::error::RunError;
use crate::files::write_atomic;
use crate::run_dir::RunDir;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Holds the name of the folder's study, and is locked as long as a process works on it.
const LOCK: &str = "study.lock";

/// Keys that a study chooses for a machine: for its memory, and to share decoded images.
const CHOSEN: [&str; 2] = ["train.micro_batch", "data.cache"];

/// The folder of a study.
#[derive(Clone, Debug)]
pub struct StudyDir {
    root: PathBuf,
}

/// The right to write to a study.
#[derive(Debug)]
pub struct StudyLock {
    _file: File,
}

impl StudyDir {
    /// The folder; nothing is created.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The newest study called `name` below `parent`.
    ///
    /// # Errors
    /// [`StudyError::NothingToResume`].
    pub fn newest(parent: &Path, name: &str) -> Result<Self, StudyError> {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        let studies = entries
            .map(|entry| Self::new(entry.path()))
            .filter(|study| study.name().as_deref() == Some(name));
        let time = |study: &Self| {
            let modified = study.root.metadata().and_then(|data| data.modified());
            modified.unwrap_or(UNIX_EPOCH)
        };
        let newest = studies.max_by_key(|study| -> (SystemTime, PathBuf) { (time(study), study.root.clone()) });
        newest.ok_or_else(|| StudyError::NothingToResume {
            name: name.to_owned(),
            parent: parent.to_owned(),
        })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The name of the study that lies there.
    pub fn name(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.root.join(LOCK)).ok()?;
        Some(text.trim().to_owned()).filter(|name| !name.is_empty())
    }

    /// The folder of untrained baselines that the cells share.
    pub fn baselines(&self) -> PathBuf {
        self.root.join("untrained")
    }

    /// The folder of a cell's run.
    pub fn run(&self, cell: &str, seed: u64) -> PathBuf {
        self.root.join(cell).join(format!("seed-{seed}"))
    }

    /// Checks that the folder is free or holds the study `name`; creates nothing.
    ///
    /// # Errors
    /// [`StudyError::NotAStudy`], [`StudyError::Other`].
    pub fn check(&self, name: &str) -> Result<(), StudyError> {
        let mut entries = std::fs::read_dir(&self.root).into_iter().flatten().flatten();
        match self.name() {
            Some(found) if found == name => Ok(()),
            Some(found) => Err(StudyError::Other {
                root: self.root.clone(),
                found,
                asked: name.to_owned(),
            }),
            // An empty lock is what a process left that was killed at once.
            None if entries.any(|entry| entry.file_name() != LOCK) => Err(StudyError::NotAStudy(self.root.clone())),
            None => Ok(()),
        }
    }

    /// Creates the folder and locks it against other processes, as long as the lock lives.
    ///
    /// # Errors
    /// As [`StudyDir::check`]; [`StudyError::InUse`]; if the folder cannot be written.
    pub fn claim(&self, name: &str) -> Result<StudyLock, RunError> {
        self.check(name).map_err(RunError::usage)?;
        let path = self.root.join(LOCK);
        let open = || -> std::io::Result<File> {
            std::fs::create_dir_all(&self.root)?;
            File::options().create(true).truncate(false).write(true).open(&path)
        };
        let cannot = |error: std::io::Error| {
            RunError::usage(format!(
                "cannot write to {}: {error}; pass another --out",
                self.root.display()
            ))
        };
        let file = open().map_err(cannot)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(RunError::usage(StudyError::InUse(self.root.clone()))),
            // Some network file systems have no locks.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        self.check(name).map_err(RunError::usage)?;
        if self.name().is_none() {
            std::fs::write(&path, name).map_err(cannot)?;
        }
        Ok(StudyLock { _file: file })
    }
}

/// Settles the config of a run that was begun before: a run that has made a step must be resumed with the config that it has. What the
/// study chose for another machine, or another number of jobs, stays, unless the user `is_given` it now.
///
/// # Errors
/// [`StudyError::Changed`] with every other key that differs.
pub(super) fn settle(run: &mut CellRun, is_given: &dyn Fn(&str) -> bool) -> Result<(), StudyError> {
    let has_begun = RunDir::open(&run.root).is_ok_and(|begun| begun.has_checkpoints());
    let Some(before) = has_begun.then(|| stored(&run.config_file())).flatten() else {
        return Ok(());
    };
    let stays = |key: &str| CHOSEN.contains(&key) && !is_given(key);
    let differences = changes(&before, &run.config);
    let lines = differences.iter().filter(|change| !stays(&change.key));
    let lines: Vec<String> = lines.map(Change::to_string).collect();
    if !lines.is_empty() {
        return Err(StudyError::Changed {
            run: run.root.clone(),
            changes: lines.join(", "),
        });
    }
    if stays(CHOSEN[0]) {
        run.config.train.micro_batch = before.train.micro_batch;
    }
    if stays(CHOSEN[1]) {
        run.config.data.cache = before.data.cache;
    }
    Ok(())
}

/// The config in a file of a study; `None` if it is not there or damaged, in which case the run compares its own.
fn stored(path: &Path) -> Option<Config> {
    path.is_file()
        .then(|| load(&Layers::of_file(path)).ok())?
        .map(|(_, config)| config)
}

/// Writes the config of a run beside its folder.
///
/// # Errors
/// With the path.
pub(super) fn write_config(run: &CellRun) -> anyhow::Result<()> {
    write_atomic(&run.config_file(), run.config.to_toml().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one_study_and_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let study = StudyDir::new(folder.path().join("s"));
        assert_eq!(study.name(), None);
        let lock = study.claim("loss").unwrap();
        assert_eq!(study.name().as_deref(), Some("loss"));
        let error = study.claim("loss").unwrap_err().to_string();
        assert!(error.contains("another process"), "{error}");
        drop(lock);
        drop(study.claim("loss").unwrap());
        let error = study.claim("width").unwrap_err().to_string();
        assert!(error.contains("holds the study loss"), "{error}");
        assert_eq!(StudyDir::newest(folder.path(), "loss").unwrap().root(), study.root());
        assert!(StudyDir::newest(folder.path(), "width").is_err());
        let foreign = StudyDir::new(folder.path().to_owned());
        let error = foreign.claim("loss").unwrap_err().to_string();
        assert!(error.contains("holds no study"), "{error}");
    }

    #[test]
    fn a_run_that_has_begun_keeps_its_config() {
        let folder = tempfile::tempdir().unwrap();
        let study = StudyDir::new(folder.path().join("s"));
        let mut run = CellRun {
            cell: 0,
            name: "a".to_owned(),
            seed: 3,
            config: Config::default(),
            root: study.run("a", 3),
            problem: None,
        };
        write_config(&run).unwrap();
        run.config.train.epochs = 7;
        settle(&mut run, &|_| false).expect("nothing was trained");
        std::fs::create_dir_all(run.root.join("checkpoints")).unwrap();
        std::fs::write(run.root.join("config.toml"), "").unwrap();
        std::fs::write(run.root.join("checkpoints/step-00000001.safetensors"), "").unwrap();
        let error = settle(&mut run, &|_| false).unwrap_err().to_string();
        assert!(
            error.contains("train.epochs 1000 -> 7") && error.contains("--out"),
            "{error}"
        );
        run.config = Config::default();
        run.config.train.micro_batch = Some(64);
        assert!(settle(&mut run.clone(), &|_| true).is_err(), "the user's");
        settle(&mut run, &|_| false).unwrap();
        assert_eq!(run.config.train.micro_batch, None, "the one that the run has");
    }
}
