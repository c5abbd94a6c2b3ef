//! Benchmark of whole view pairs: read the file, decode, make two views, normalise. Every thread takes the next image.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use barlow_augment::{Normalization, Views, ViewsConfig, decode_region};

use crate::images::Images;

const ROUNDS: u64 = 3;

/// View pairs/s, the best of three rounds over all images.
pub fn per_second(images: &Images, pixels: usize, threads: usize) -> f64 {
    let config = ViewsConfig {
        size: pixels,
        ..Default::default()
    };
    let views = Views::new(&config.groups(), Normalization::imagenet()).expect("the preset is valid");
    let mut best = f64::INFINITY;
    for round in 0..ROUNDS {
        let (next, start) = (AtomicUsize::new(0), Instant::now());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let (mut a, mut b) = (vec![0.0; views.values(0)], vec![0.0; views.values(1)]);
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= images.len() {
                            break;
                        }
                        let number = index as u64;
                        let wanted = |width, height| views.region(width, height, 0, round, number);
                        let region = decode_region(&images.bytes(index), 3, &wanted);
                        let region = region.unwrap_or_else(|error| panic!("{}: {error}", images.name(index)));
                        views.apply_region(&region, 0, round, number, &mut [&mut a, &mut b]);
                        std::hint::black_box((&a, &b));
                    }
                });
            }
        });
        best = best.min(start.elapsed().as_secs_f64());
    }
    images.len() as f64 / best
}
