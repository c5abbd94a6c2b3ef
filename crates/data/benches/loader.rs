//! Benchmark of the plan of an epoch over a million images, and of batches/s from images in memory.
//!
//! `cargo bench -p barlow-data -- [--json]`; the best of three rounds. Images of 32 pixels, views of preset `cifar`,
//! batches of 256.

#![allow(clippy::print_stdout)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use barlow_augment::{Normalization, RgbImage8, ViewPreset, Views, ViewsConfig};
use barlow_data::{LoaderConfig, MemorySet, ViewLoader, shuffled_indices};

const ROUNDS: u64 = 3;
const PLAN: usize = 1_000_000;
const IMAGES: usize = 5_120;
const BATCH: usize = 256;

/// The system allocator with a count of the allocated bytes.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to `System` unchanged; the counter is an atomic and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller upholds `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller upholds `alloc_zeroed`'s contract. The default implementation would write the zeros one by one.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds `dealloc`'s contract, and the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let json = std::env::args().any(|argument| argument == "--json");
    let (seconds, bytes) = plan();
    if json {
        println!("{{\"bench\":\"plan\",\"images\":{PLAN},\"min_s\":{seconds:.4},\"bytes\":{bytes}}}");
    } else {
        println!(
            "plan of an epoch over {PLAN} images: {:.1} ms, {:.1} MB",
            seconds * 1e3,
            bytes as f64 / 1e6
        );
        println!("threads  batches of {BATCH}/s  view pairs/s");
    }
    for threads in [1, 2] {
        let rate = batches_per_s(threads);
        let pairs = rate * BATCH as f64;
        if json {
            println!(
                "{{\"bench\":\"loader\",\"pixels\":32,\"n\":{BATCH},\"threads\":{threads},\"batches_per_s\":{rate:.3},\
                 \"pairs_per_s\":{pairs:.1}}}"
            );
        } else {
            println!("{threads:7}  {rate:16.2}  {pairs:12.0}");
        }
    }
}

/// Seconds and bytes that the order of an epoch takes.
fn plan() -> (f64, usize) {
    let (mut best, before) = (f64::INFINITY, ALLOCATED.load(Ordering::Relaxed));
    for epoch in 0..ROUNDS {
        let start = Instant::now();
        std::hint::black_box(shuffled_indices(PLAN, 0, epoch));
        best = best.min(start.elapsed().as_secs_f64());
    }
    (best, (ALLOCATED.load(Ordering::Relaxed) - before) / ROUNDS as usize)
}

/// Batches/s of an epoch whose caller takes them immediately.
fn batches_per_s(workers: usize) -> f64 {
    let image = |seed: usize| {
        let value = |x: usize, y: usize, c: usize| (x * 37 + y * 61 + c * 89 + seed * 53) as u8;
        RgbImage8::from_fn(32, 32, |x, y| [0, 1, 2].map(|c| value(x, y, c))).into()
    };
    let set = MemorySet::new((0..IMAGES).map(image).collect(), None, Vec::new());
    let config = ViewsConfig {
        preset: ViewPreset::Cifar,
        size: 32,
        ..Default::default()
    };
    let views = Views::new(&config.groups(), Normalization::imagenet()).expect("the preset is valid");
    let config = LoaderConfig {
        batch_size: BATCH,
        workers,
        ..Default::default()
    };
    let loader = ViewLoader::new(Arc::new(set), views, config).expect("a batch fits the set");
    let mut best = f64::INFINITY;
    for epoch in 0..ROUNDS {
        let start = Instant::now();
        for batch in loader.epoch(epoch, 0) {
            std::hint::black_box(batch.expect("images in memory are good"));
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    loader.steps_per_epoch() as f64 / best
}
