//! Runs the cells of a study, one after the other or several side by side.

use super::cell_run::{CellRun, Ending, Launch};
use crate::console::Console;
use crate::stop::StopFlag;
use crate::units::duration;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Instant;

/// How a run of the study ended; those that were not started are missing.
pub(super) type Endings = Vec<Option<Ending>>;

/// Runs everything that is not finished, in order, `jobs` at a time, with `threads` in all. A failed run does not end the others. After
/// each run `update` is called with the endings so far.
pub(super) fn run_all(
    runs: &[CellRun],
    (jobs, threads): (NonZeroUsize, usize),
    launch: &dyn Launch,
    (stop, console): (&StopFlag, &dyn Console),
    update: &mut dyn FnMut(&Endings),
) -> Endings {
    let mut endings: Endings = runs.iter().map(|run| run.finished().map(|_| Ending::Done)).collect();
    let open: Vec<usize> = (0..runs.len()).filter(|&run| endings[run].is_none()).collect();
    let before = runs.len() - open.len();
    if before > 0 {
        console.line(&format!("{before} of {} runs are finished already", runs.len()));
    }
    let jobs = jobs.get().min(open.len());
    let queue = Mutex::new(open.iter());
    let started = Instant::now();
    let (sender, ended) = channel();
    std::thread::scope(|scope| {
        for job in 0..jobs {
            let (sender, queue) = (sender.clone(), &queue);
            let threads = share(threads, jobs, job);
            scope.spawn(move || {
                while !stop.is_set() {
                    let next = queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
                    let Some(&number) = next else { break };
                    let run = &runs[number];
                    let ending = match &run.problem {
                        Some(problem) => Ending::Failed(problem.clone()),
                        None => {
                            let log = run.log_file();
                            console.line(&format!("{}: started; it prints to {}", run.label(), log.display()));
                            launch.run(run, threads, stop)
                        }
                    };
                    if sender.send((number, ending)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (number, ending) in ended {
            report(&runs[number], &ending, console);
            endings[number] = Some(ending);
            let ended = endings.iter().flatten().count();
            // Runs differ in length: the mean so far is a rough estimate.
            let each = started.elapsed().as_secs_f64() / (ended - before).max(1) as f64;
            let left = runs.len() - ended;
            if left > 0 && !stop.is_set() {
                console.line(&format!(
                    "{ended} of {} runs ended, some {} left if the others are as long",
                    runs.len(),
                    duration(each * left as f64)
                ));
            }
            update(&endings);
        }
    });
    endings
}

/// The threads of a job: an equal share, the first jobs one more where they do not divide, at least one.
fn share(threads: usize, jobs: usize, job: usize) -> usize {
    (threads / jobs + usize::from(job < threads % jobs)).max(1)
}

fn report(run: &CellRun, ending: &Ending, console: &dyn Console) {
    let label = run.label();
    match (ending, run.finished()) {
        (Ending::Done, Some(summary)) => {
            let percent = |value: Option<f64>| value.map(|value| format!("{:.2} %", 100.0 * value));
            let linear = percent(summary.linear_top1).map(|top1| format!(", linear {top1}"));
            let knn = percent(summary.knn_top1).map(|top1| format!(", kNN {top1}"));
            console.line(&format!(
                "{label}: done in {}, loss {:.2}{}{}",
                duration(summary.wall_seconds),
                summary.loss,
                linear.unwrap_or_default(),
                knn.unwrap_or_default()
            ));
        }
        (Ending::Done, None) => console.line(&format!("{label}: done")),
        (Ending::Interrupted, _) => console.line(&format!("{label}: stopped after a checkpoint")),
        (Ending::Failed(error), _) => console.warn(&format!("{label} failed: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::*;
    use crate::config::Config;
    use crate::console::PlainConsole;
    use std::path::Path;
    use std::sync::atomic::Ordering;

    #[test]
    fn threads_are_shared() {
        let shares = |threads, jobs| (0..jobs).map(|job| share(threads, jobs, job)).collect::<Vec<_>>();
        assert_eq!(shares(8, 3), [3, 3, 2]);
        assert_eq!(shares(2, 3), [1, 1, 1]);
        assert_eq!(shares(4, 1), [4]);
    }

    fn runs(root: &Path) -> Vec<CellRun> {
        let run = |(cell, name, seed): (usize, &str, u64)| CellRun {
            cell,
            name: name.to_owned(),
            seed,
            config: Config::default(),
            root: root.join(name).join(format!("seed-{seed}")),
            problem: None,
        };
        [(0, "a", 0), (1, "b", 0), (0, "a", 1), (1, "b", 1)].map(run).to_vec()
    }

    fn all(root: &Path, jobs: usize, fake: &Fake, stop: &StopFlag) -> (Endings, usize) {
        let mut updates = 0;
        let jobs = (NonZeroUsize::new(jobs).unwrap(), 4);
        let console = PlainConsole { quiet: true };
        let endings = run_all(&runs(root), jobs, fake, (stop, &console), &mut |_| updates += 1);
        (endings, updates)
    }

    #[test]
    fn a_failed_run_does_not_end_the_others_and_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let fake = Fake::new("b seed 0", 0);
        let (endings, updates) = all(folder.path(), 1, &fake, &StopFlag::default());
        assert!(matches!(&endings[1], Some(Ending::Failed(error)) if error.starts_with("no memory")));
        let done = endings
            .iter()
            .flatten()
            .filter(|ending| **ending == Ending::Done)
            .count();
        assert_eq!((done, updates), (3, 4));
        let labels: Vec<(String, usize)> = fake.calls.into_inner().unwrap();
        assert_eq!(
            labels,
            ["a seed 0", "b seed 0", "a seed 1", "b seed 1"].map(|label| (label.to_owned(), 4))
        );
        let again = Fake::new("", 0);
        let (endings, _) = all(folder.path(), 1, &again, &StopFlag::default());
        assert!(endings.iter().all(|ending| *ending == Some(Ending::Done)));
        assert_eq!(
            again.calls.into_inner().unwrap().len(),
            1,
            "finished runs are not repeated"
        );
    }

    #[test]
    fn a_stop_starts_no_further_run() {
        let folder = tempfile::tempdir().unwrap();
        let (fake, stop) = (Fake::new("", 2), StopFlag::default());
        let (endings, _) = all(folder.path(), 1, &fake, &stop);
        assert_eq!(endings[..2], [Some(Ending::Done), Some(Ending::Interrupted)]);
        assert_eq!(endings[2..], [None, None]);
    }

    #[test]
    fn jobs_share_the_threads() {
        let folder = tempfile::tempdir().unwrap();
        let fake = Fake::new("", 0);
        let (endings, updates) = all(folder.path(), 3, &fake, &StopFlag::default());
        assert!(endings.iter().all(Option::is_some));
        assert_eq!(updates, 4);
        assert!(fake.most.load(Ordering::SeqCst) <= 3);
        let calls = fake.calls.into_inner().unwrap();
        assert!(calls.iter().all(|(_, threads)| [1, 2].contains(threads)), "{calls:?}");
    }
}
