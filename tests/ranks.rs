//! The program as several processes: refused without MPI, and with it the run of one process.

#[cfg(not(feature = "mpi"))]
use crate::common::{folder, refused, smoke};

/// A default build under a launcher must not start as many runs as there are processes.
#[test]
#[cfg(not(feature = "mpi"))]
fn a_launcher_is_refused_by_a_build_without_mpi() {
    let dir = folder();
    let variables = [
        ("mpirun", vec![("OMPI_COMM_WORLD_SIZE", "2")]),
        ("torchrun", vec![("WORLD_SIZE", "2"), ("RANK", "1")]),
        ("srun", vec![("SLURM_STEP_NUM_TASKS", "2"), ("SLURM_PROCID", "0")]),
    ];
    for (launcher, variables) in variables {
        let out = dir.path().join("run");
        let program = variables
            .into_iter()
            .fold(smoke("cpu", &out), |program, (name, value)| program.env(name, value));
        let started = format!("{launcher} started 2 ranks");
        refused(&program.run(), &[&started, "built without MPI", "--features mpi"]);
        assert!(!out.exists());
    }
}

#[cfg(feature = "mpi")]
mod jobs {
    use crate::common::{folder, metrics, root, summary};
    use std::path::Path;
    use std::process::{Child, Command, Output, Stdio};
    use std::time::{Duration, Instant};

    fn mpirun(ranks: usize, out: &Path, more: &[&str]) -> Child {
        Command::new("mpirun")
            .args(["--oversubscribe", "--bind-to", "none", "-n", &ranks.to_string()])
            .arg(env!("CARGO_BIN_EXE_train"))
            .args([
                "pretrain",
                "--config",
                "smoke",
                "--backend",
                "cpu",
                "--threads",
                "1",
                "--out",
            ])
            .arg(out)
            .args(["--set", "train.log_every=1"])
            .args(more)
            .current_dir(root())
            .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
            .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
            .env("OMPI_MCA_btl_vader_single_copy_mechanism", "none")
            .env("OMPI_MCA_mpi_yield_when_idle", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mpirun; Debian's package is openmpi-bin")
    }

    fn losses(run: &Path) -> Vec<f64> {
        metrics(run).iter().filter_map(|line| line["loss"].as_f64()).collect()
    }

    fn text(output: &Output) -> String {
        let both = [&output.stdout, &output.stderr];
        both.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).join("\n")
    }

    /// The processes that `mpirun` started.
    fn ranks_of(job: &Child) -> Vec<u32> {
        let list = Command::new("pgrep")
            .args(["-P", &job.id().to_string()])
            .output()
            .unwrap();
        let list = String::from_utf8(list.stdout).unwrap();
        list.lines().map(|line| line.parse().unwrap()).collect()
    }

    fn wait_for_a_checkpoint(run: &Path, job: &mut Child) {
        let start = Instant::now();
        let is_there = || {
            let mut files = std::fs::read_dir(run.join("checkpoints"))
                .into_iter()
                .flatten()
                .flatten();
            files.any(|file| file.file_name().to_string_lossy().starts_with("step-"))
        };
        while !is_there() {
            assert!(
                job.try_wait().unwrap().is_none(),
                "it ended before its first checkpoint"
            );
            assert!(start.elapsed() < Duration::from_secs(120));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(name: &str, process: u32) {
        let sent = Command::new("kill")
            .args([name, &process.to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    #[test]
    fn any_number_of_processes_has_the_losses_of_one() {
        let dir = folder();
        let run = |ranks: usize| {
            let out = dir.path().join(ranks.to_string());
            let output = mpirun(ranks, &out, &[]).wait_with_output().unwrap();
            assert!(output.status.success(), "{}", text(&output));
            assert_eq!(text(&output).matches("linear top-1").count(), 1, "one rank prints");
            assert!(summary(&out)["loss"].is_f64());
            losses(&out)
        };
        let expected = run(1);
        assert!(!expected.is_empty());
        for ranks in [2, 3] {
            let found = run(ranks);
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                assert!(
                    (found - expected).abs() <= 1e-4 * expected.abs(),
                    "{found}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn a_killed_rank_ends_the_job_and_another_number_of_ranks_resumes_it() {
        let dir = folder();
        let out = dir.path().join("run");
        let mut job = mpirun(2, &out, &["--epochs", "200"]);
        wait_for_a_checkpoint(&out, &mut job);
        let ranks = ranks_of(&job);
        assert_eq!(ranks.len(), 2);
        let start = Instant::now();
        signal("-KILL", ranks[1]);
        let output = job.wait_with_output().unwrap();
        assert!(
            !output.status.success() && start.elapsed() < Duration::from_secs(10),
            "{}",
            text(&output)
        );
        // SIGUSR1 to one rank: all stop at one step, with one checkpoint.
        let mut job = mpirun(3, &out, &["--resume", "--epochs", "200"]);
        let before = losses(&out).len();
        let start = Instant::now();
        while losses(&out).len() < before + 2 {
            assert!(job.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(120));
            std::thread::sleep(Duration::from_millis(20));
        }
        signal("-USR1", ranks_of(&job)[2]);
        let output = job.wait_with_output().unwrap();
        assert_eq!(
            text(&output).matches("interrupted at step").count(),
            1,
            "{}",
            text(&output)
        );
        assert!(losses(&out).iter().all(|loss| loss.is_finite()));
    }
}
