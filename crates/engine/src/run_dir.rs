//! The folder of a run: what lies in it, who may write to it, and how a file gets there whole.
//!
//! Knows names and file systems only; what is in the files is decided by those who write them.

use crate::files::PARTIAL;
use crate::summary::Summary;
use anyhow::{Context, Result};
use std::fs::{DirEntry, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// A folder that cannot be used for a run.
#[derive(Debug, Error)]
pub enum RunDirError {
    /// The folder holds a run already.
    #[error("{0} already holds a run; pass --resume to continue it, or another --out")]
    Taken(PathBuf),
    /// The folder is there and holds other things.
    #[error("{0} is not empty and holds no run; pass an empty or a new folder with --out")]
    NotEmpty(PathBuf),
    /// `--resume` without a run to resume.
    #[error("nothing to resume: no run lies in {0}; leave --resume out to start one, or name the run with --out")]
    NothingToResume(PathBuf),
    /// The folder cannot be made or written to.
    #[error("cannot write to {path}: {source}; pass another --out")]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process is at it.
    #[error("{0} is being trained by another process; wait for it, stop it, or pass another --out")]
    InUse(PathBuf),
    /// A path that should be a run and is none.
    #[error("{0} is no run: it has no config.toml")]
    NotARun(PathBuf),
}

/// Name of the file that is locked.
const LOCK: &str = ".lock";

/// The right to write to a run.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct RunDir {
    root: PathBuf,
}

impl RunDir {
    /// Checks whether a new run can have the folder; makes nothing.
    ///
    /// # Errors
    /// [`RunDirError`] where another run or other files lie there.
    pub fn check_free(root: &Path) -> Result<(), RunDirError> {
        let run = Self { root: root.to_owned() };
        if run.config().exists() {
            return Err(RunDirError::Taken(run.root));
        }
        // A folder that cannot be listed is not there, or is found out when it is made.
        let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
        let ours = |name: &str| name == "checkpoints" || name == LOCK || name.starts_with(PARTIAL);
        let foreign = |entry: &DirEntry| !entry.file_name().to_str().is_some_and(ours);
        if entries(root).any(|entry| foreign(&entry)) || entries(&run.checkpoints()).any(|entry| foreign(&entry)) {
            return Err(RunDirError::NotEmpty(run.root));
        }
        Ok(())
    }

    /// The folder of a run that another process writes; neither made nor looked at.
    pub(crate) fn of_another_rank(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Makes the folder of a new run.
    ///
    /// # Errors
    /// [`RunDirError`] where another run or other files lie there, or it cannot be written.
    pub fn create(root: &Path) -> Result<Self, RunDirError> {
        Self::check_free(root)?;
        let run = Self { root: root.to_owned() };
        let unwritable = |source| RunDirError::Unwritable {
            path: root.to_owned(),
            source,
        };
        std::fs::create_dir_all(run.checkpoints()).map_err(unwritable)?;
        tempfile::tempfile_in(root).map_err(unwritable)?;
        Ok(run)
    }

    /// Makes the folder of a new run and locks it. Looked at once more under the lock: another process may have started and ended a
    /// run there since the first look.
    ///
    /// # Errors
    /// As [`RunDir::create`] and [`RunDir::lock`].
    pub fn claim(root: &Path) -> Result<(Self, RunLock), RunDirError> {
        let run = Self::create(root)?;
        let lock = run.lock_free()?;
        Ok((run, lock))
    }

    /// Locks the folder of a run that must not have begun.
    fn lock_free(&self) -> Result<RunLock, RunDirError> {
        let lock = self.lock()?;
        Self::check_free(&self.root)?;
        Ok(lock)
    }

    /// Opens the folder of a run that was started before.
    ///
    /// # Errors
    /// [`RunDirError::NotARun`].
    pub fn open(root: &Path) -> Result<Self, RunDirError> {
        let run = Self { root: root.to_owned() };
        if run.config().is_file() {
            Ok(run)
        } else {
            Err(RunDirError::NotARun(run.root))
        }
    }

    /// Keeps every other process from writing to the run as long as the lock lives; it goes with the process, however that ends.
    ///
    /// # Errors
    /// [`RunDirError::InUse`], [`RunDirError::Unwritable`].
    pub fn lock(&self) -> Result<RunLock, RunDirError> {
        let unwritable = |source| RunDirError::Unwritable {
            path: self.root.clone(),
            source,
        };
        let path = self.root.join(LOCK);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(unwritable)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(RunDirError::InUse(self.root.clone())),
            Ok(()) => self.remove_partial_files(),
            // Some network file systems have no locks: a run there is as safe as it was without one.
            Err(TryLockError::Error(_)) => {}
        }
        Ok(RunLock { _file: file })
    }

    /// What a process was writing when it was killed; a file that cannot be removed does no harm.
    fn remove_partial_files(&self) {
        for folder in [self.root.clone(), self.checkpoints()] {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            for entry in entries {
                if entry.file_name().to_str().is_some_and(|name| name.starts_with(PARTIAL)) {
                    let _ = std::fs::remove_file(entry.path());
                }
            }
        }
    }

    /// The run below `parent` whose checkpoint or config is newest.
    ///
    /// # Errors
    /// [`RunDirError::NothingToResume`].
    pub fn newest(parent: &Path) -> Result<Self, RunDirError> {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| Self::open(&entry.path()).ok())
            .max_by_key(|run| (run.modified(), run.root.clone()))
            .ok_or_else(|| RunDirError::NothingToResume(parent.to_owned()))
    }

    fn modified(&self) -> SystemTime {
        let time = |path: &Path| path.metadata().and_then(|data| data.modified()).unwrap_or(UNIX_EPOCH);
        time(&self.config()).max(time(&self.checkpoints()))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The resolved config.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// What the data set was found to be.
    pub fn data(&self) -> PathBuf {
        self.root.join("data.json")
    }

    /// One JSON object a line.
    pub fn metrics(&self) -> PathBuf {
        self.root.join("metrics.jsonl")
    }

    /// The folder of TensorBoard's event files.
    pub fn tensorboard(&self) -> PathBuf {
        self.root.join("tensorboard")
    }

    /// The folder of the checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// The trained backbone with torchvision's names.
    pub fn backbone(&self) -> PathBuf {
        self.root.join("backbone.safetensors")
    }

    /// The result.
    pub fn summary(&self) -> PathBuf {
        self.root.join("summary.json")
    }

    /// The result of a finished run; `None` if it is not finished or its summary cannot be read.
    pub fn read_summary(&self) -> Option<Summary> {
        serde_json::from_str(&std::fs::read_to_string(self.summary()).ok()?).ok()
    }

    /// The report for people.
    pub fn report(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// What the report shows besides numbers, stored because it is costly to compute: `report/NAME`.
    pub(crate) fn report_data(&self, name: &str) -> PathBuf {
        self.root.join("report").join(name)
    }

    /// Whether anything was kept of the run's steps.
    pub fn has_checkpoints(&self) -> bool {
        let entries = std::fs::read_dir(self.checkpoints()).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.file_name())
            .any(|name| !name.to_string_lossy().starts_with(PARTIAL))
    }

    /// Takes back that the run is finished.
    ///
    /// # Errors
    /// With the path.
    pub fn remove_results(&self) -> Result<()> {
        match std::fs::remove_file(self.summary()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.summary().display()))
            }
            _ => Ok(()),
        }
    }

    /// The result of a later evaluation, `eval/NAME.json`.
    pub fn evaluation(&self, name: &str) -> PathBuf {
        self.root.join("eval").join(format!("{name}.json"))
    }
}

/// The default folder of a new run: `runs/<config>-<UTC time>`, with a number for further runs of the same second.
pub fn default_root(recipe: &str) -> PathBuf {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    unused(&Path::new("runs").join(format!("{recipe}-{}", timestamp(since))))
}

/// The path if nothing lies there, else the first of `path-2`, `path-3`, ….
fn unused(path: &Path) -> PathBuf {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!("-{number}"));
        PathBuf::from(name)
    };
    let all = std::iter::once(path.to_owned()).chain((2..).map(numbered));
    let mut free = all.filter(|path| !path.exists());
    free.next().expect("there are more numbers than folders")
}

/// `YYYYMMDD-HHMMSS` in UTC.
fn timestamp(since_epoch: Duration) -> String {
    let seconds = since_epoch.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_from_days(days as i64);
    format!(
        "{year:04}{month:02}{day:02}-{:02}{:02}{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Days since 1970-01-01 to a date of the Gregorian calendar, by whole 400-year eras that start on 1 March.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::write_atomic;

    #[test]
    fn runs_of_the_same_second_have_their_own_folders() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("smoke-1");
        assert_eq!(unused(&root), root);
        std::fs::create_dir(&root).unwrap();
        assert_eq!(unused(&root), folder.path().join("smoke-1-2"));
        std::fs::create_dir(folder.path().join("smoke-1-2")).unwrap();
        assert_eq!(unused(&root), folder.path().join("smoke-1-3"));
    }

    #[test]
    fn times_are_written_as_dates() {
        assert_eq!(timestamp(Duration::from_secs(0)), "19700101-000000");
        assert_eq!(timestamp(Duration::from_secs(951_782_399)), "20000228-235959");
        assert_eq!(timestamp(Duration::from_secs(951_782_400)), "20000229-000000");
        assert_eq!(timestamp(Duration::from_secs(1_795_435_200)), "20261123-120000");
    }

    #[test]
    fn a_folder_with_a_run_or_with_other_files_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("run");
        let run = RunDir::create(&root).unwrap();
        RunDir::create(&root).expect("a run that wrote nothing yet can be started again");
        write_atomic(&run.config(), b"").unwrap();
        assert!(matches!(RunDir::create(&root), Err(RunDirError::Taken(_))));

        std::fs::write(folder.path().join("thesis.tex"), "").unwrap();
        assert!(matches!(RunDir::create(folder.path()), Err(RunDirError::NotEmpty(_))));
        assert!(!folder.path().join("checkpoints").exists(), "nothing is left behind");

        std::fs::remove_file(run.config()).unwrap();
        std::fs::write(run.checkpoints().join("step-00000720.safetensors"), "").unwrap();
        let stale = RunDir::create(&root);
        assert!(
            matches!(stale, Err(RunDirError::NotEmpty(_))),
            "an old checkpoint would be resumed"
        );
    }

    #[test]
    fn a_folder_that_was_free_is_looked_at_again_under_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        // Free at the first look; then another process begins a run there, ends, and gives its lock back.
        let run = RunDir::create(folder.path()).unwrap();
        let (other, lock) = RunDir::claim(folder.path()).unwrap();
        write_atomic(&other.config(), b"").unwrap();
        drop(lock);
        assert!(matches!(run.lock_free(), Err(RunDirError::Taken(_))));
    }

    #[test]
    fn a_run_has_one_writer() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path()).unwrap();
        let lock = run.lock().unwrap();
        assert!(matches!(run.lock(), Err(RunDirError::InUse(_))));
        drop(lock);
        let partial = run.checkpoints().join(".partial-x");
        std::fs::write(&partial, "").unwrap();
        RunDir::create(folder.path()).expect("what a killed process left is no content");
        run.lock().unwrap();
        assert!(!partial.exists());
        RunDir::create(folder.path()).expect("the lock's file is no content");
    }

    #[test]
    fn the_newest_run_is_found_and_an_empty_folder_says_so() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            RunDir::newest(folder.path()),
            Err(RunDirError::NothingToResume(_))
        ));
        for name in ["a", "b"] {
            let run = RunDir::create(&folder.path().join(name)).unwrap();
            write_atomic(&run.config(), b"").unwrap();
        }
        let later = SystemTime::now() + Duration::from_secs(60);
        let config = std::fs::File::options()
            .append(true)
            .open(folder.path().join("a/config.toml"))
            .unwrap();
        config.set_modified(later).unwrap();
        assert_eq!(RunDir::newest(folder.path()).unwrap().root(), folder.path().join("a"));
    }
}
