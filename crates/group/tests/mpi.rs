//! Processes of an MPI job, started by `mpirun` from this test's own executable.

#![cfg(feature = "mpi")]

use barlow_group::{Group, Mpi, Place, counts_of, share_of};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a process of the job does.
const ROLE: &str = "BARLOW_GROUP_TEST_ROLE";

fn mpirun(ranks: usize, role: &str) -> (Output, Duration) {
    let start = Instant::now();
    let ranks = ranks.to_string();
    let output = Command::new("mpirun")
        .args(["--oversubscribe", "--bind-to", "none", "-n", &ranks])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "rank_of_a_job", "--ignored", "--nocapture"])
        .env(ROLE, role)
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .env("OMPI_MCA_btl_vader_single_copy_mechanism", "none")
        .env("OMPI_MCA_mpi_yield_when_idle", "1")
        .output()
        .expect("mpirun; Debian's package is openmpi-bin");
    (output, start.elapsed())
}

fn text(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr];
    both.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).join("\n")
}

#[test]
fn sums_and_rows_have_equal_bytes_on_all_ranks() {
    for ranks in [1, 2, 3, 4] {
        let (output, _) = mpirun(ranks, "sums");
        let text = text(&output);
        assert!(output.status.success(), "{text}");
        let mut lines: Vec<&str> = text.lines().filter(|line| line.contains("bytes ")).collect();
        assert_eq!(lines.len(), ranks, "{text}");
        lines
            .iter_mut()
            .for_each(|line| *line = &line[line.find("bytes ").unwrap()..]);
        assert!(lines.iter().all(|line| *line == lines[0]), "{text}");
    }
}

#[test]
fn a_killed_rank_ends_the_job_in_seconds() {
    let (output, took) = mpirun(3, "killed");
    assert!(
        !output.status.success() && took < Duration::from_secs(10),
        "{took:?}: {}",
        text(&output)
    );
}

#[test]
fn a_rank_that_hangs_ends_the_job_after_the_time_limit_with_one_line() {
    let (output, took) = mpirun(2, "hangs");
    let text = text(&output);
    assert!(
        !output.status.success() && took < Duration::from_secs(20),
        "{took:?}: {text}"
    );
    let lines = text.lines().filter(|line| line.starts_with("error: [rank 0 of 2 on "));
    let lines: Vec<&str> = lines.collect();
    assert!(
        matches!(lines[..], [line] if line.contains("waited 2 s for the other ranks")),
        "{text}"
    );
}

#[test]
#[ignore = "run by mpirun"]
fn rank_of_a_job() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let timeout = Duration::from_secs(if role == "hangs" { 2 } else { 60 });
    let mpi = Mpi::start(timeout).unwrap();
    let group: Arc<dyn Group> = Arc::new(mpi.clone());
    let rank = group.place().rank;
    match role.as_str() {
        // On standard error: mpirun passes on both, and lines of several processes stay whole.
        "sums" => eprintln!("\nbytes {}", sums(&group)),
        "killed" => {
            group.barrier().unwrap();
            if rank == 1 {
                let pid = std::process::id().to_string();
                Command::new("kill").args(["-9", &pid]).status().unwrap();
            }
            group.broadcast(&mut Vec::new()).unwrap();
            group.barrier().unwrap();
        }
        "hangs" => {
            group.barrier().unwrap();
            if rank == 1 {
                std::thread::sleep(Duration::from_secs(60));
            }
            group.barrier().unwrap();
        }
        other => panic!("no role {other}"),
    }
    mpi.finalize();
}

/// Checks the results and returns their bits as text.
fn sums(group: &Arc<dyn Group>) -> String {
    let Place {
        rank,
        size,
        local_rank,
        local_size,
        ..
    } = *group.place();
    assert_eq!((local_rank, local_size), (rank, size), "one host");
    let mut bits = Vec::new();
    // Short and long ones take different ways through the library.
    for count in [1, 3, 1000, 70_001, 5_000_000] {
        let value =
            |rank: usize, k: usize| ((rank * 7919 + k * 31) % 1000) as f32 * 1e-3 + 10f32.powi((k % 9) as i32 - 4);
        let mut values: Vec<f32> = (0..count).map(|k| value(rank, k)).collect();
        group.sum((&mut values[..]).into()).unwrap();
        for (k, &sum) in values.iter().enumerate().step_by(997) {
            let expected: f64 = (0..size).map(|rank| f64::from(value(rank, k))).sum();
            assert!(
                (f64::from(sum) - expected).abs() < 1e-5 * expected,
                "{sum}, not {expected}"
            );
        }
        let hash = values.iter().fold(0u64, |hash, value| {
            (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3)
        });
        bits.push(hash);
    }
    let mut precise = [1.0 / (rank as f64 + 3.0)];
    group.sum((&mut precise[..]).into()).unwrap();
    bits.push(precise[0].to_bits());
    let mut counts = [1, 1u64 << 63];
    group.node().sum((&mut counts[..]).into()).unwrap();
    assert_eq!(counts[0], size as u64);
    let rows = 13;
    let own: Vec<f32> = share_of(rows, rank, size).map(|row| row as f32).collect();
    let all = group.gather(&own, &counts_of(rows, size, 1)).unwrap();
    assert_eq!(all, (0..rows).map(|row| row as f32).collect::<Vec<_>>());
    let mut bytes = if rank == 0 { vec![7; 100_000] } else { vec![1, 2, 3] };
    group.broadcast(&mut bytes).unwrap();
    assert_eq!(bytes, [7; 100_000]);
    assert_eq!(group.count([rank == 0, true]).unwrap(), [1, size]);
    format!("{bits:?}")
}
