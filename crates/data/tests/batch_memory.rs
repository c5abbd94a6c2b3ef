//! Memory test of batches: their host memory in bytes, measured by a counting allocator.
//!
//! A separate test binary, because the allocator counts for the whole process.

mod allocations;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use allocations::{NOW, PEAK};
use barlow_augment::{Normalization, RgbImage8, ViewConfig, ViewGroup, Views};
use barlow_data::{LoaderConfig, MemorySet, ViewLoader};

/// Two views of 64 pixels and three of 32 for 8 images.
const BATCH_BYTES: usize = 4 * 8 * 3 * (2 * 64 * 64 + 3 * 32 * 32);

fn group(name: &str, count: usize, size: usize) -> ViewGroup {
    ViewGroup {
        name: name.into(),
        count,
        size,
        view: ViewConfig::default(),
    }
}

/// Bytes since `before` as a number of batches, rounded: everything else that the loader needs is far below half a batch.
fn in_batches(bytes: usize, before: usize) -> usize {
    (bytes - before + BATCH_BYTES / 2) / BATCH_BYTES
}

#[test]
fn as_many_batches_exist_at_once_as_the_config_says() {
    let image = |seed: usize| RgbImage8::from_fn(40, 30, |x, y| [x as u8, y as u8, seed as u8]).into();
    let set = Arc::new(MemorySet::new((0..96).map(image).collect(), None, Vec::new()));
    let views = Views::new(
        &[group("large", 2, 64), group("small", 3, 32)],
        Normalization::imagenet(),
    )
    .unwrap();
    for (workers, queue, expected) in [(0, 4, 1), (1, 0, 2), (1, 1, 3), (2, 2, 4), (3, 5, 7)] {
        let config = LoaderConfig {
            batch_size: 8,
            workers,
            queue,
            ..Default::default()
        };
        assert_eq!(config.batches_in_memory(), expected);
        let loader = ViewLoader::new(set.clone(), views.clone(), config).unwrap();
        let before = NOW.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let mut epoch = loader.epoch(0, 0);
        let mut batch = epoch.next();
        // The caller holds the first batch until no more can be prefetched.
        let start = Instant::now();
        while in_batches(NOW.load(Ordering::Relaxed), before) < expected {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "less than {expected} batches"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        while let Some(made) = batch.take() {
            drop(made.unwrap());
            batch = epoch.next();
        }
        let peak = in_batches(PEAK.load(Ordering::Relaxed), before);
        assert_eq!(peak, expected, "{workers} workers, queue {queue}");
    }
}
