//! How the rows of a batch are divided among the ranks.

use std::ops::Range;

/// The rows of rank `rank` of `size`: `[rank · rows / size, (rank + 1) · rows / size)`. Shares differ by one row at most.
///
/// # Panics
/// If there is no such rank.
pub fn share_of(rows: usize, rank: usize, size: usize) -> Range<usize> {
    assert!(rank < size, "rank {rank} of {size}");
    let start = |rank: usize| rank * rows / size;
    start(rank)..start(rank + 1)
}

/// The number of rows of each of `size` ranks, times `width`.
pub fn counts_of(rows: usize, size: usize, width: usize) -> Vec<usize> {
    (0..size).map(|rank| share_of(rows, rank, size).len() * width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_the_whole_in_order_and_differ_by_one_row() {
        for rows in 0..40 {
            for size in 1..9 {
                let shares: Vec<_> = (0..size).map(|rank| share_of(rows, rank, size)).collect();
                let mut next = 0;
                for share in &shares {
                    assert_eq!(share.start, next);
                    next = share.end;
                    assert!((rows / size..=rows.div_ceil(size)).contains(&share.len()));
                }
                assert_eq!(next, rows);
                let lengths: Vec<usize> = shares.iter().map(|share| share.len() * 3).collect();
                assert_eq!(counts_of(rows, size, 3), lengths);
            }
        }
    }
}
