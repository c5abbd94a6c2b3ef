//! Benchmark of sets on disk, shards or folders: time to open, and images/s in order and shuffled, on one thread and on all.
//!
//! `cargo bench -p barlow-data --bench shards -- PATH...`; every image of a set is decoded in each row.

#![allow(clippy::print_stdout)]

use std::time::Instant;

use barlow_data::{OpenOptions, Splits, shuffled_indices};
use rayon::prelude::*;

fn main() {
    let paths = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    for path in paths {
        let start = Instant::now();
        let splits = Splits::open(&path, &OpenOptions::default()).unwrap_or_else(|error| panic!("{error}"));
        let (set, opening) = (splits.train, start.elapsed());
        println!(
            "{path}: {} ({} images), opened in {opening:.3?}",
            splits.format,
            set.len()
        );
        let ordered: Vec<usize> = (0..set.len()).collect();
        let shuffled: Vec<usize> = shuffled_indices(set.len(), 0, 1);
        let read = |index: &usize| set.image(*index).unwrap_or_else(|error| panic!("{error}")).bytes();
        for (name, order) in [("in order", &ordered), ("shuffled", &shuffled)] {
            let start = Instant::now();
            order.iter().for_each(|index| {
                read(index);
            });
            let one = order.len() as f64 / start.elapsed().as_secs_f64();
            let start = Instant::now();
            order.par_iter().for_each(|index| {
                read(index);
            });
            let all = order.len() as f64 / start.elapsed().as_secs_f64();
            println!(
                "  {name:8}  {one:8.0} images/s on one thread, {all:8.0} on {}",
                rayon::current_num_threads()
            );
        }
    }
}
