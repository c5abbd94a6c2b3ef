//! The checkpoint folder of a run: files are written atomically (temporary file, sync, rename), and the last few and the best
//! are retained.

use super::Checkpoint;
use super::file::Fault;
use crate::files::write_atomic;
use crate::run_dir::RunDir;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// A run that has not written a checkpoint yet.
#[derive(Debug, thiserror::Error)]
#[error("{} has no checkpoint yet; run it with --resume", .0.display())]
pub struct NoCheckpoint(pub PathBuf);

/// A checkpoint file that cannot be used, and why.
#[derive(Debug)]
pub struct Damaged {
    /// The file.
    pub path: PathBuf,
    /// One line.
    pub error: anyhow::Error,
}

/// The checkpoint of a run to use, and the damaged ones before it.
#[derive(Debug, Default)]
pub struct Kept {
    /// The requested checkpoint, or the next best usable one; `None` if the run has none.
    pub checkpoint: Option<Checkpoint>,
    /// The damaged checkpoints that would have been used before it.
    pub damaged: Vec<Damaged>,
}

impl Kept {
    fn first_usable(paths: impl Iterator<Item = PathBuf>) -> Result<Self> {
        let mut damaged = Vec::new();
        for path in paths {
            match Checkpoint::try_read(&path) {
                Ok(checkpoint) => {
                    let checkpoint = Some(checkpoint);
                    return Ok(Self { checkpoint, damaged });
                }
                // An I/O error, or a file of a newer program: the file itself is not damaged.
                Err(Fault { damaged: false, error }) => return Err(error),
                Err(Fault { error, .. }) => damaged.push(Damaged { path, error }),
            }
        }
        // If every checkpoint is damaged, the run must not silently restart from its beginning.
        match damaged.into_iter().next() {
            Some(first) => Err(first.error.context("no checkpoint of the run can be used")),
            None => Ok(Self::default()),
        }
    }

    /// Quarantines the damaged files by renaming them, so that they are neither used again nor counted among the last ones.
    /// Returns a one-line warning for each.
    ///
    /// # Errors
    /// With the path.
    pub fn set_aside(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for Damaged { path, error } in self.damaged.drain(..) {
            let mut aside = path.clone().into_os_string();
            aside.push(".damaged");
            std::fs::rename(&path, &aside).with_context(|| format!("cannot rename {}", path.display()))?;
            lines.push(format!("{error:#}; quarantined as {}", Path::new(&aside).display()));
        }
        Ok(lines)
    }
}

impl Checkpoint {
    /// Writes the checkpoint, deletes all but the newest `keep` (≥ 1), and writes it as the best one too if `is_best`.
    ///
    /// # Errors
    /// With the path, or if a tensor holds NaN or infinity; older checkpoints stay.
    pub fn save(self, run: &RunDir, keep: usize, is_best: bool) -> Result<PathBuf> {
        let step = self.progress.step;
        let bytes = self.into_bytes()?;
        let path = run.checkpoints().join(file_name(step));
        // The best one first: a run that is killed in between repeats the step, and its last checkpoint does not list this best
        // yet.
        if is_best {
            write_atomic(&best_path(run), &bytes)?;
        }
        write_atomic(&path, &bytes)?;
        let mut steps = saved_steps(run)?;
        steps.retain(|&saved| saved != step);
        for old in steps.iter().rev().skip(keep.saturating_sub(1)) {
            let old = run.checkpoints().join(file_name(*old));
            std::fs::remove_file(&old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
        Ok(path)
    }

    /// The last checkpoint of a run (`RUN@last`), or its best.
    ///
    /// # Errors
    /// If there are checkpoints and none is usable.
    pub fn chosen(run: &RunDir, last: bool) -> Result<Kept> {
        if last { Self::newest(run) } else { Self::best(run) }
    }

    /// The newest usable checkpoint of a run; the best one if no other is usable.
    ///
    /// # Errors
    /// If there are checkpoints and none is usable.
    pub fn newest(run: &RunDir) -> Result<Kept> {
        let best = Some(best_path(run)).filter(|path| path.is_file());
        Kept::first_usable(by_age(run)?.into_iter().chain(best))
    }

    /// The best checkpoint of a run, else its newest usable one.
    ///
    /// # Errors
    /// If there are checkpoints and none is usable.
    pub fn best(run: &RunDir) -> Result<Kept> {
        let best = Some(best_path(run)).filter(|path| path.is_file());
        Kept::first_usable(best.into_iter().chain(by_age(run)?))
    }
}

fn best_path(run: &RunDir) -> PathBuf {
    run.checkpoints().join("best.safetensors")
}

/// The file of the checkpoint at a step.
pub(super) fn path_of_step(run: &RunDir, step: u64) -> PathBuf {
    run.checkpoints().join(file_name(step))
}

fn file_name(step: u64) -> String {
    format!("step-{step:08}.safetensors")
}

/// The checkpoint files, newest first.
fn by_age(run: &RunDir) -> Result<Vec<PathBuf>> {
    let steps = saved_steps(run)?.into_iter().rev();
    Ok(steps.map(|step| run.checkpoints().join(file_name(step))).collect())
}

/// Steps that have a checkpoint, in ascending order.
fn saved_steps(run: &RunDir) -> Result<Vec<u64>> {
    let folder = run.checkpoints();
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    let step = |name: &str| name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok();
    let mut steps: Vec<u64> = entries
        .flatten()
        .filter_map(|entry| step(&entry.file_name().to_string_lossy()))
        .collect();
    steps.sort_unstable();
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::super::checkpoint::example;
    use super::*;

    fn run() -> (tempfile::TempDir, RunDir) {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path()).unwrap();
        (folder, run)
    }

    fn damage(path: &Path) {
        let mut bytes = std::fs::read(path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn what_was_saved_is_read_and_only_the_newest_are_kept() {
        let (_folder, run) = run();
        assert_eq!(Checkpoint::newest(&run).unwrap().checkpoint, None);
        for step in [5, 10, 100] {
            example(step).save(&run, 2, step == 10).unwrap();
        }
        assert_eq!(saved_steps(&run).unwrap(), [10, 100]);
        assert_eq!(Checkpoint::newest(&run).unwrap().checkpoint, Some(example(100)));
        assert_eq!(Checkpoint::best(&run).unwrap().checkpoint, Some(example(10)));
    }

    #[test]
    fn the_one_before_a_damaged_one_is_taken_and_the_damaged_one_is_set_aside() {
        let (_folder, run) = run();
        for step in [5, 10, 100] {
            example(step).save(&run, 3, step == 10).unwrap();
        }
        let damaged = run.checkpoints().join(file_name(100));
        damage(&damaged);
        let mut kept = Checkpoint::newest(&run).unwrap();
        assert_eq!(kept.checkpoint, Some(example(10)));
        let lines = kept.set_aside().unwrap();
        assert!(
            lines.len() == 1 && lines[0].contains("step-00000100") && lines[0].contains("checksum"),
            "{lines:?}"
        );
        assert!(!damaged.exists());
        assert_eq!(saved_steps(&run).unwrap(), [5, 10]);

        damage(&best_path(&run));
        let kept = Checkpoint::best(&run).unwrap();
        assert_eq!((kept.checkpoint, kept.damaged.len()), (Some(example(10)), 1));
    }

    #[test]
    fn a_file_of_another_format_is_not_damaged() {
        let (_folder, run) = run();
        example(5).save(&run, 2, false).unwrap();
        let mut other = example(6);
        other.progress.format += 1;
        other.save(&run, 2, false).unwrap();
        let error = format!("{:#}", Checkpoint::newest(&run).unwrap_err());
        assert!(error.contains("step-00000006") && error.contains("format 4"), "{error}");
    }

    #[test]
    fn the_best_one_is_there_when_all_others_are_damaged() {
        let (_folder, run) = run();
        example(5).save(&run, 1, true).unwrap();
        damage(&example(6).save(&run, 1, false).unwrap());
        assert_eq!(Checkpoint::newest(&run).unwrap().checkpoint, Some(example(5)));
    }

    #[test]
    fn a_run_with_damaged_checkpoints_alone_is_an_error_with_a_path() {
        let (_folder, run) = run();
        let path = example(7).save(&run, 1, false).unwrap();
        damage(&path);
        let error = format!("{:#}", Checkpoint::newest(&run).unwrap_err());
        assert!(
            error.contains("step-00000007.safetensors") && error.contains("checksum"),
            "{error}"
        );
    }

    #[test]
    fn a_checkpoint_that_cannot_be_written_leaves_the_last_one() {
        let (_folder, run) = run();
        example(5).save(&run, 1, false).unwrap();
        let mut broken = example(6);
        broken
            .model
            .values_mut()
            .for_each(|tensor| tensor.data[0] = f32::INFINITY);
        broken.save(&run, 1, false).unwrap_err();
        assert_eq!(Checkpoint::newest(&run).unwrap().checkpoint, Some(example(5)));
    }
}
