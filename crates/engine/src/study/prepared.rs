//! A study from its request to its results.

use super::base::Base;
use super::cell_run::{CellRun, Ending, Launch};
use super::error::StudyError;
use super::folder::{StudyDir, settle};
use super::forecast::{CellForecast, lines};
use super::process::ChildRuns;
use super::registry::StudySource;
use super::results::{RunState, StudyResults, gather};
use super::runner::run_all;
use super::study::Study;
use super::table::StudyTable;
use super::write::write;
use crate::cache_folder::cache_folder;
use crate::config::{CacheName, Config, DataCache, Layers, Normalize, NormalizeName, load};
use crate::console::Console;
use crate::error::RunError;
use crate::host_memory;
use crate::run_dir::default_root;
use crate::sources::{self, Sources, fits_in_memory};
use crate::stop::StopFlag;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The seeds, unless they are given.
const SEEDS: [u64; 3] = [0, 1, 2];
/// The part of this machine's memory that a step's estimate may take: a process takes up to a half more.
const MEMORY_PART: f64 = 0.6;
/// The time in which a dry run waits for a cell's first steps.
const MOST_TIMING: Duration = Duration::from_secs(20);
/// What the runs of a study are below.
const RUNS: &str = "runs";

/// A study as the program requests it.
pub struct StudyRequest {
    /// The study.
    pub source: StudySource,
    /// Recipe and changes for all cells.
    pub layers: Layers,
    /// The seeds; if empty, the grid's, else 0, 1 and 2.
    pub seeds: Vec<u64>,
    /// The cells; all if empty.
    pub only: Vec<String>,
    /// The study's folder; one that holds the study is continued.
    pub out: Option<PathBuf>,
    /// Without `out`: continue the newest study of this name below `runs/`.
    pub resume: bool,
    /// Runs side by side.
    pub jobs: NonZeroUsize,
    /// Threads of all runs together.
    pub threads: usize,
    /// Whether the device's memory is this machine's.
    pub on_host: bool,
    /// The program that a run is started with.
    pub program: PathBuf,
    /// Its arguments for the device.
    pub args: Vec<OsString>,
    /// Nothing is written to the study's folder or the user's cache folder.
    pub dry_run: bool,
    /// Prints messages.
    pub console: Arc<dyn Console>,
    /// Stops the runs after a checkpoint each.
    pub stop: StopFlag,
}

/// A study whose cells are valid and whose folder is untouched.
pub struct PreparedStudy {
    study: Study,
    base: Base,
    dir: StudyDir,
    seeds: Vec<u64>,
    runs: Vec<CellRun>,
    launch: ChildRuns,
    jobs: NonZeroUsize,
    threads: usize,
    console: Arc<dyn Console>,
    stop: StopFlag,
}

/// What a study came to.
#[derive(Clone, Debug)]
pub struct StudyOutcome {
    /// The results.
    pub results: StudyResults,
    /// The study's folder.
    pub root: PathBuf,
    /// Whether it was asked to stop.
    pub interrupted: bool,
}

impl StudyRequest {
    /// Settles the cells' configs, counts the images and checks the folder.
    ///
    /// # Errors
    /// [`RunError::Usage`] if the study is not possible over this recipe and these images, a cell's config is invalid, or the folder
    /// holds something else, or runs of another config.
    pub fn prepare(self) -> Result<PreparedStudy, RunError> {
        let Self { source, mut layers, .. } = self;
        let mut seeds = self.seeds;
        // Changes of the recipe that the command line's come after.
        let mut below = Vec::new();
        if let Some(grid) = source.grid() {
            layers.recipe = layers.recipe.or_else(|| grid.recipe.clone());
            below = grid.sets();
            if seeds.is_empty() {
                seeds = grid.seeds.clone().unwrap_or_default();
            }
        }
        if seeds.is_empty() {
            seeds = SEEDS.to_vec();
        }
        check_seeds(&seeds).map_err(RunError::usage)?;
        let all = Layers {
            sets: below.iter().chain(&layers.sets).cloned().collect(),
            ..layers.clone()
        };
        let (recipe, config) = load(&all).map_err(RunError::usage)?;
        let sources = open(&config, !self.dry_run, self.console.as_ref())?;
        let is_given = all.sets.iter().any(|set| set.trim_start().starts_with("data.cache"));
        if !is_given && !self.dry_run && shares_images(&config, &sources)? {
            below.push("data.cache=disk".to_owned());
        }
        let memory = host_memory::physical().filter(|_| self.on_host);
        let memory = memory.map(|bytes| (bytes as f64 * MEMORY_PART / self.jobs.get() as f64) as u64);
        let base = Base::new(layers, below, sources.counts(), memory).map_err(RunError::usage)?;
        drop(sources);
        let study = source.study(&base, &self.only).map_err(RunError::usage)?;
        let dir = match (self.out, self.resume) {
            (Some(out), _) => StudyDir::new(out),
            (None, true) => StudyDir::newest(Path::new(RUNS), &study.name).map_err(RunError::usage)?,
            (None, false) if study.flat => StudyDir::new(default_root(&recipe)),
            (None, false) => StudyDir::new(default_root(&study.name)),
        };
        dir.check(&study.name).map_err(RunError::usage)?;
        let is_own = source.grid().is_some();
        let runs = runs(&study, &base, &seeds, &dir, is_own).map_err(RunError::usage)?;
        Ok(PreparedStudy {
            launch: ChildRuns {
                program: self.program,
                args: self.args,
                baselines: dir.baselines(),
            },
            study,
            base,
            dir,
            seeds,
            runs,
            jobs: self.jobs,
            threads: self.threads,
            console: self.console,
            stop: self.stop,
        })
    }
}

fn check_seeds(seeds: &[u64]) -> Result<(), StudyError> {
    let mut sorted = seeds.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() == seeds.len() {
        return Ok(());
    }
    let texts: Vec<String> = seeds.iter().map(ToString::to_string).collect();
    Err(StudyError::Seeds(texts.join(",")))
}

/// The images of a config, of which only names and labels are read.
fn open(config: &Config, may_write: bool, console: &dyn Console) -> Result<Sources, RunError> {
    let mut config = config.clone();
    config.data.cache = DataCache::Named(CacheName::Off);
    if config.data.normalize == Normalize::Named(NormalizeName::Data) {
        // The runs compute them.
        let channels = config.model.in_channels;
        config.data.normalize = Normalize::Given {
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
        };
    }
    sources::open(&config, may_write, &|line| console.line(line)).map_err(RunError::usage)
}

/// Whether each run would hold decoded images in its own memory: they are then cached on disk, once for all of them.
fn shares_images(config: &Config, sources: &Sources) -> Result<bool, RunError> {
    if config.data.cache != DataCache::Named(CacheName::Auto) || cache_folder().is_none() {
        return Ok(false);
    }
    fits_in_memory(sources, config.data.bad_images).map_err(RunError::usage)
}

/// All cells with the first seed, then all with the next, so that a table of all cells is there early. An invalid config in a grid of the
/// user's own is a mistake; in another study it is a cell that the base does not allow, and a failed run.
fn runs(study: &Study, base: &Base, seeds: &[u64], dir: &StudyDir, is_own: bool) -> Result<Vec<CellRun>, StudyError> {
    let mut runs = Vec::new();
    for &seed in seeds {
        for (number, cell) in study.cells.iter().enumerate() {
            let (config, problem) = match base.config_of(cell, seed) {
                Ok(config) => (config, None),
                Err(error) if is_own => {
                    return Err(StudyError::Cell {
                        cell: cell.name.clone(),
                        message: error.to_string(),
                    });
                }
                Err(error) => (base.config().clone(), Some(error.to_string())),
            };
            let mut run = CellRun {
                cell: number,
                name: cell.name.clone(),
                seed,
                config,
                root: dir.run(&cell.name, seed),
                problem,
            };
            let is_given = |key: &str| base.given().any(|given| given == key);
            if run.problem.is_none() {
                settle(&mut run, &is_given)?;
            }
            runs.push(run);
        }
    }
    Ok(runs)
}

impl PreparedStudy {
    /// The study's folder.
    pub fn root(&self) -> &Path {
        self.dir.root()
    }

    /// The lines of a dry run: cells, steps and the expected time. The time of a cell is that of its finished runs, else it is measured
    /// on a few steps in a temporary folder.
    ///
    /// # Errors
    /// [`RunError::Failed`] if a run cannot be started, [`RunError::Interrupted`].
    pub fn forecast(&self) -> Result<Vec<String>, RunError> {
        let images = self.base.images().train;
        let mut cells = Vec::new();
        for (number, cell) in self.study.cells.iter().enumerate() {
            let of_cell = || self.runs.iter().filter(|run| run.cell == number);
            let finished: Vec<f64> = of_cell().filter_map(|run| Some(run.finished()?.wall_seconds)).collect();
            let Some(run) = of_cell().next() else { continue };
            let train = &run.config.train;
            let steps = (images / train.batch_size) as u64 * train.epochs;
            let open = of_cell().count() - finished.len();
            let mut seconds_per_step = None;
            if let Some(problem) = &run.problem {
                self.console.warn(&format!("{} cannot be run: {problem}", cell.name));
            } else if finished.is_empty() && steps > 0 && !self.stop.is_set() {
                self.console.line(&format!("timing {}", run.label()));
                seconds_per_step = self
                    .launch
                    .seconds_per_step(run, self.threads, MOST_TIMING, &self.stop)?;
            }
            cells.push(CellForecast {
                label: cell.label.clone(),
                folder: cell.name.clone(),
                steps,
                batch_size: train.batch_size,
                micro_batch: train.micro_batch,
                finished,
                open,
                seconds_per_step,
            });
        }
        if self.stop.is_set() {
            return Err(RunError::Interrupted("interrupted while timing the cells".to_owned()));
        }
        let mut out = vec![format!(
            "{}: {} cells x {} seeds over {}, in {}",
            self.study.name,
            self.study.cells.len(),
            self.seeds.len(),
            self.base.recipe(),
            self.root().display()
        )];
        out.extend(lines(&cells));
        out.extend(self.study.notes.clone());
        Ok(out)
    }

    /// Runs what is not finished, and writes the results after every run.
    ///
    /// # Errors
    /// [`RunError::Usage`] if the folder is held by another process or cannot be written; [`RunError::Failed`] if the results cannot be
    /// written. Runs that fail are no error: they are in the results.
    pub fn run(self) -> Result<StudyOutcome, RunError> {
        let launch = self.launch.clone();
        self.run_by(&launch)
    }

    /// [`run`](Self::run) with another way to start runs.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_by(self, launch: &dyn Launch) -> Result<StudyOutcome, RunError> {
        let _lock = self.dir.claim(&self.study.name)?;
        let stem = if self.study.flat { "seeds" } else { "study" };
        let console = self.console.as_ref();
        console.line(&format!(
            "study       {}: {} cells x {} seeds over {}, {} at a time on {} threads, in {}",
            self.study.name,
            self.study.cells.len(),
            self.seeds.len(),
            self.base.recipe(),
            self.jobs,
            self.threads,
            self.root().display()
        ));
        self.warn_of_others();
        let results = |endings: &[Option<Ending>]| gather(&self.study, &self.base, &self.seeds, &self.runs, endings);
        let save = |results: &StudyResults| write(self.root(), stem, results, &self.study.axis);
        let endings = run_all(
            &self.runs,
            (self.jobs, self.threads),
            launch,
            (&self.stop, console),
            &mut |endings| {
                if let Err(error) = save(&results(endings)) {
                    console.warn(&format!("the results so far are not saved: {error:#}"));
                }
            },
        );
        let results = results(&endings);
        save(&results)?;
        Ok(StudyOutcome {
            root: self.root().to_owned(),
            interrupted: self.stop.is_set(),
            results,
        })
    }

    /// Folders of cells that are not among this study's: of an earlier version of a grid, or of other `--cells`.
    fn warn_of_others(&self) {
        if self.study.flat {
            return;
        }
        let entries = std::fs::read_dir(self.root()).into_iter().flatten().flatten();
        let names = entries
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        let known = |name: &String| {
            ["figures", "untrained"].contains(&name.as_str()) || self.study.cells.iter().any(|cell| cell.name == *name)
        };
        let others: Vec<String> = names.filter(|name| !known(name)).collect();
        if !others.is_empty() {
            self.console.warn(&format!(
                "{} in {} is not among the cells and not in the results",
                others.join(", "),
                self.root().display()
            ));
        }
    }
}

impl StudyOutcome {
    /// The table and the paths of the results, as they are printed.
    pub fn text(&self) -> String {
        let mut out = StudyTable::of(&self.results).text();
        for note in &self.results.notes {
            out.push_str(&format!("\n{note}"));
        }
        if let Some(source) = &self.results.source {
            out.push_str(&format!("\npaper: {source}"));
        }
        format!("{out}\nreport: {}", self.root.join("report.html").display())
    }

    /// Whether the study is complete.
    ///
    /// # Errors
    /// [`RunError::Interrupted`] if it was asked to stop, [`RunError::Failed`] if runs have failed.
    pub fn check(&self) -> Result<(), RunError> {
        let runs = || self.results.cells.iter().flat_map(|cell| &cell.runs);
        let count = |state: RunState| runs().filter(|run| run.state == state).count();
        let (all, done, failed) = (runs().count(), count(RunState::Done), count(RunState::Failed));
        if self.interrupted && done < all {
            return Err(RunError::Interrupted(format!(
                "interrupted with {done} of {all} runs finished; the same command with --out {} continues",
                self.root.display()
            )));
        }
        if failed == 0 {
            return Ok(());
        }
        Err(RunError::Failed(anyhow::anyhow!(
            "{failed} of {all} runs failed; the table says why; the same command with --out {} tries them again",
            self.root.display()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;
    use crate::console::PlainConsole;
    use crate::sources::ImageCounts;

    /// The study `loss` over the smoke recipe with seeds 0 and 1, without its images.
    fn prepared(root: &Path, only: &[&str]) -> PreparedStudy {
        let layers = Layers {
            recipe: Some("smoke".to_owned()),
            ..Layers::default()
        };
        let images = ImageCounts::shipped();
        let base = Base::new(layers, Vec::new(), images, None).unwrap();
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        let study = StudySource::find("loss").unwrap().study(&base, &only).unwrap();
        let dir = StudyDir::new(root.join("study"));
        let seeds = vec![0, 1];
        PreparedStudy {
            runs: runs(&study, &base, &seeds, &dir, false).unwrap(),
            launch: ChildRuns {
                program: PathBuf::from("no-such-program"),
                args: Vec::new(),
                baselines: dir.baselines(),
            },
            study,
            base,
            dir,
            seeds,
            jobs: NonZeroUsize::MIN,
            threads: 2,
            console: Arc::new(PlainConsole { quiet: true }),
            stop: StopFlag::default(),
        }
    }

    fn text(root: &Path, name: &str) -> String {
        std::fs::read_to_string(root.join("study").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    const CELLS: [&str; 3] = ["baseline", "invariance", "redundancy"];

    #[test]
    fn results_are_means_with_paired_differences_beside_the_papers() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = prepared(folder.path(), &CELLS).run_by(&Fake::new("", 0)).unwrap();
        outcome.check().unwrap();
        let [baseline, invariance, _] = outcome.results.cells.as_slice() else {
            panic!("three cells")
        };
        let linear = baseline.linear_top1.unwrap();
        assert!((linear.mean - 0.55).abs() < 1e-12 && (linear.std.unwrap() - 0.1 / 2f64.sqrt()).abs() < 1e-12);
        assert_eq!((baseline.difference, baseline.paper_difference), (None, None));
        // Both seeds differ by the same: the deviation of the differences is 0 although that of the accuracies is not.
        let difference = invariance.difference.unwrap();
        assert!((difference.mean - 0.01).abs() < 1e-12 && difference.std.unwrap() < 1e-12);
        assert!((invariance.paper_difference.unwrap() + 0.141).abs() < 1e-12);
        let table = StudyTable::of(&outcome.results);
        assert_eq!(
            table.rows[1][1..6],
            ["56.00 ± 7.07", "+1.00 ± 0.00", "36.00 ± 7.07", "20.00 ± 0.00", "57.3"]
        );
        assert!(
            table.markdown().starts_with("| cell | linear top-1, % | to baseline |"),
            "{}",
            table.markdown()
        );
        let json: serde_json::Value = serde_json::from_str(&text(folder.path(), "study.json")).unwrap();
        assert_eq!(
            (&json["complete"], &json["measure"]),
            (&true.into(), &"linear_top1".into())
        );
        assert_eq!(json["cells"][1]["settings"]["loss.objective"], "invariance");
        assert_eq!(json["cells"][1]["readings"]["invariance"]["mean"], 2.0);
        assert_eq!(text(folder.path(), "study.csv").lines().count(), 7);
        for name in ["figures/ours.svg", "figures/paper.svg", "report.html", "study.md"] {
            assert!(text(folder.path(), name).contains("only the invariance term"), "{name}");
        }
    }

    #[test]
    fn a_failure_is_in_the_table_and_ends_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = prepared(folder.path(), &CELLS)
            .run_by(&Fake::new("invariance seed 1", 0))
            .unwrap();
        let error = outcome.check().unwrap_err().to_string();
        assert!(error.starts_with("1 of 6 runs failed"), "{error}");
        let invariance = &outcome.results.cells[1];
        assert_eq!(
            (
                invariance.linear_top1.unwrap().count,
                invariance.difference.unwrap().std
            ),
            (1, None)
        );
        assert!(
            outcome.text().contains("1 of 2; seed 1 failed: no memory, \"really\""),
            "{}",
            outcome.text()
        );
        let csv = text(folder.path(), "study.csv");
        assert!(
            csv.contains("invariance,only the invariance term,,1,failed,\"no memory, \"\"really\"\"\","),
            "{csv}"
        );
        assert!(!outcome.results.complete && text(folder.path(), "study.md").contains("Not every run"));
        // The second time it succeeds, and nothing else is run.
        let again = Fake::new("", 0);
        prepared(folder.path(), &CELLS).run_by(&again).unwrap().check().unwrap();
        assert_eq!(again.calls.into_inner().unwrap(), [("invariance seed 1".to_owned(), 2)]);
    }

    #[test]
    fn a_stop_leaves_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = prepared(folder.path(), &CELLS).run_by(&Fake::new("", 3)).unwrap();
        let error = outcome.check().unwrap_err();
        assert!(matches!(&error, RunError::Interrupted(_)), "{error}");
        assert!(error.to_string().contains("2 of 6 runs finished"), "{error}");
        let json: serde_json::Value = serde_json::from_str(&text(folder.path(), "study.json")).unwrap();
        assert_eq!(json["cells"][2]["runs"][0]["state"], "interrupted");
        assert_eq!(json["cells"][2]["runs"][1]["state"], "open");
    }

    #[test]
    fn a_program_that_cannot_be_started_is_a_failed_run() {
        let folder = tempfile::tempdir().unwrap();
        let outcome = prepared(folder.path(), &["baseline"]).run().unwrap();
        let error = outcome.results.cells[0].runs[0].error.clone().unwrap();
        assert!(error.starts_with("cannot start no-such-program"), "{error}");
    }

    #[test]
    fn a_seed_is_given_once() {
        assert!(check_seeds(&[0, 1]).is_ok());
        let error = check_seeds(&[0, 1, 0]).unwrap_err().to_string();
        assert!(error.starts_with("--seeds 0,1,0"), "{error}");
    }
}
