//! The plan of an epoch over a million images, measured in bytes: an allocator of this program's own counts.
//!
//! A test binary of its own, because the count is of the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use barlow_augment::{Image8, Normalization, TwinViews, TwinViewsConfig};
use barlow_data::{DataError, ImageSource, TwinLoader, TwinLoaderConfig};

/// The system's allocator with a count of the bytes in use.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to `System` unchanged; the counters are atomics and allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps `dealloc`'s contract, and the pointer came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A million images that nobody asks for.
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
        panic!("a plan needs no image, and image {index} was asked for")
    }
}

#[test]
fn the_plan_of_a_million_images_takes_less_than_a_hundred_megabytes() {
    let views = TwinViews::new(&TwinViewsConfig::default(), Normalization::imagenet()).unwrap();
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let config = TwinLoaderConfig {
        workers: 0,
        ..Default::default()
    };
    let loader = TwinLoader::new(Arc::new(Million), views, config).unwrap();
    let epoch = loader.epoch(3, 17);
    let (peak, held) = [&PEAK, &NOW].map(|bytes| bytes.load(Ordering::Relaxed) - before).into();
    assert_eq!(epoch.size_hint().1, Some(1_000_000 / 128 - 17));
    assert!(
        peak < 100_000_000 && held < 10_000_000,
        "{peak} bytes at most, {held} held"
    );
    // The counter counts: the order itself is in there.
    assert!(held >= 4_000_000, "{held}");
    drop(epoch);
    assert!(NOW.load(Ordering::Relaxed) - before < 1_000_000);
}
