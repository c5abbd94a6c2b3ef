//! Ranks as threads: exact results, equal bytes, and an end instead of a hang whatever a rank does.

use barlow_group::{Alone, Fault, Group, GroupError, Place, Threads, counts_of, share_of};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SIZES: [usize; 4] = [1, 2, 3, 4];

/// Values whose sum depends on the order in which they are added.
fn value(rank: usize, k: usize) -> f32 {
    ((rank * 7919 + k * 104_729) % 1000) as f32 * 1.7e-3 * 10f32.powi((rank * 3 + k) as i32 % 7 - 3)
}

/// A sum of floats, of statistics and of counts, and rows of all ranks.
type Results = (Vec<f32>, Vec<f64>, [u64; 2], Vec<f32>);

fn work(group: &Arc<dyn Group>, rows: usize) -> Result<Results, GroupError> {
    let Place { rank, size, .. } = *group.place();
    let mut sum: Vec<f32> = (0..1001).map(|k| value(rank, k)).collect();
    group.sum((&mut sum[..]).into())?;
    let mut precise = vec![1.0 / (rank as f64 + 3.0), rank as f64];
    group.sum((&mut precise[..]).into())?;
    let mut counts = [1, u64::MAX / size as u64];
    group.sum((&mut counts[..]).into())?;
    let own: Vec<f32> = share_of(rows, rank, size)
        .flat_map(|row| [row as f32, -(row as f32)])
        .collect();
    let all = group.gather(&own, &counts_of(rows, size, 2))?;
    Ok((sum, precise, counts, all))
}

#[test]
fn sums_and_rows_are_exact_and_have_equal_bytes_on_all_ranks() {
    for size in SIZES {
        for rows in [0, 1, 5, 12, 13] {
            let found = Threads::new(size).run(|group| work(&group, rows).unwrap());
            let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
            let (sum, precise, counts, all) = &found[0];
            for other in &found {
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert_eq!((bits(sum), bits(all)), (bits(&other.0), bits(&other.3)));
                assert_eq!((precise, counts), (&other.1, &other.2));
            }
            for (k, &sum) in sum.iter().enumerate() {
                // In the order of the ranks.
                let expected = (1..size).fold(value(0, k), |sum, rank| sum + value(rank, k));
                assert_eq!(sum.to_bits(), expected.to_bits());
            }
            assert_eq!(precise[1], (size * (size - 1) / 2) as f64);
            assert_eq!(counts[0], size as u64);
            let expected: Vec<f32> = (0..rows).flat_map(|row| [row as f32, -(row as f32)]).collect();
            assert_eq!(*all, expected);
        }
    }
}

#[test]
fn one_rank_alone_has_its_own_values() {
    let group: Arc<dyn Group> = Arc::new(Alone::default());
    let (sum, precise, counts, all) = work(&group, 3).unwrap();
    let of_one = Threads::new(1).run(|group| work(&group, 3).unwrap()).remove(0).unwrap();
    assert_eq!((sum, precise, counts, all), of_one);
    assert!(group.is_alone() && group.is_first());
}

#[test]
fn bytes_of_rank_0_reach_all_and_flags_are_counted() {
    for size in SIZES {
        let found = Threads::new(size).run(|group| {
            let rank = group.place().rank;
            let mut bytes = vec![rank as u8; rank + 3];
            group.broadcast(&mut bytes).unwrap();
            group.barrier().unwrap();
            (bytes, group.count([rank == 1, true, false]).unwrap())
        });
        for found in found {
            assert_eq!(found.unwrap(), (vec![0; 3], [usize::from(size > 1), size, 0]));
        }
    }
}

#[test]
fn ranks_of_a_node_sum_among_themselves() {
    let found = Threads::new(5).with_ranks_per_node(2).run(|group| {
        let place = group.place().clone();
        let node = group.node();
        assert_eq!(
            (node.place().rank, node.place().size),
            (place.local_rank, place.local_size)
        );
        let mut ranks = [place.rank as u64];
        node.sum((&mut ranks[..]).into()).unwrap();
        (place.host, ranks[0])
    });
    let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
    let sums: Vec<u64> = found.iter().map(|(_, sum)| *sum).collect();
    assert_eq!(sums, [1, 1, 5, 5, 4]);
    assert_eq!(
        found.into_iter().map(|(host, _)| host).collect::<BTreeSet<_>>().len(),
        3
    );
}

#[test]
fn a_rank_that_panics_ends_the_others_at_once_with_its_number() {
    let start = Instant::now();
    let found = Threads::new(3).run(|group| {
        for step in 0..10 {
            assert!(group.place().rank != 1 || step < 4, "out of memory");
            group.barrier()?;
        }
        Ok::<_, GroupError>(())
    });
    assert!(start.elapsed() < Duration::from_secs(60), "long before the time limit");
    let lost = found[1].as_ref().unwrap_err();
    assert_eq!((lost.rank, lost.message.as_str()), (1, "out of memory"));
    for rank in [0, 2] {
        let error = found[rank].as_ref().unwrap().as_ref().unwrap_err();
        assert!(matches!(error.fault, Fault::Ended { rank: 1, .. }), "{error}");
        let line = error.to_string();
        let start = format!("[rank {rank} of 3 on localhost] rank 1 has ended, and a sum of 1 counts waited for it");
        assert!(line.starts_with(&start) && !line.contains('\n'), "{line}");
    }
}

#[test]
fn a_rank_that_returns_early_ends_a_broadcast_which_has_no_time_limit() {
    let found = Threads::new(2).run(|group| match group.place().rank {
        0 => Ok(()),
        _ => group.broadcast(&mut Vec::new()),
    });
    let error = found[1].as_ref().unwrap().as_ref().unwrap_err();
    assert!(matches!(error.fault, Fault::Ended { rank: 0, .. }), "{error}");
}

#[test]
fn a_rank_that_does_not_come_is_named_after_the_time_limit() {
    let ranks = Threads::new(3).with_timeout(Duration::from_millis(50)).ranks();
    // Ranks 1 and 2 are alive and make no call.
    let error = ranks[0].barrier().unwrap_err();
    assert!(
        matches!(&error.fault, Fault::TimedOut { missing, .. } if *missing == [1, 2]),
        "{error}"
    );
}

#[test]
fn different_calls_are_an_error_on_every_rank() {
    let found = Threads::new(2).run(|group| match group.place().rank {
        0 => group.sum((&mut [0.0f32; 4][..]).into()),
        _ => group.sum((&mut [0.0f32; 5][..]).into()),
    });
    for (rank, found) in found.into_iter().enumerate() {
        let error = found.unwrap().unwrap_err();
        assert!(
            matches!(error.fault, Fault::Differs { rank: other, .. } if other != rank),
            "{error}"
        );
    }
}
