//! Memory test of the plan of an epoch over a million images, in bytes, measured by a counting allocator.
//!
//! A separate test binary, because the allocator counts for the whole process.

mod allocations;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use allocations::{NOW, PEAK};
use barlow_augment::{Image8, Normalization, Views, ViewsConfig};
use barlow_data::{DataError, ImageSource, LoaderConfig, ViewLoader};

/// A million images that are never requested.
struct Million;

impl ImageSource for Million {
    fn len(&self) -> usize {
        1_000_000
    }
    fn classes(&self) -> &[String] {
        &[]
    }
    fn channels(&self) -> usize {
        3
    }
    fn label(&self, _: usize) -> Option<usize> {
        None
    }
    fn name(&self, index: usize) -> String {
        index.to_string()
    }
    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        panic!("a plan needs no image, but image {index} was requested")
    }
}

#[test]
fn the_plan_of_a_million_images_takes_less_than_a_hundred_megabytes() {
    let views = Views::new(&ViewsConfig::default().groups(), Normalization::imagenet()).unwrap();
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let config = LoaderConfig {
        workers: 0,
        ..Default::default()
    };
    let loader = ViewLoader::new(Arc::new(Million), views, config).unwrap();
    let epoch = loader.epoch(3, 17);
    let (peak, held) = [&PEAK, &NOW].map(|bytes| bytes.load(Ordering::Relaxed) - before).into();
    assert_eq!(epoch.size_hint().1, Some(1_000_000 / 128 - 17));
    assert!(
        peak < 100_000_000 && held < 10_000_000,
        "{peak} bytes at most, {held} held"
    );
    // The counter works: it includes the order itself.
    assert!(held >= 4_000_000, "{held}");
    drop(epoch);
    assert!(NOW.load(Ordering::Relaxed) - before < 1_000_000);
}
