//! Memory test of an index of ImageNet's size: less than 100 MB, from building it to reading it back. A separate test
//! binary, because it counts every byte that the process allocates.

mod allocations;

use std::sync::atomic::Ordering;

use allocations::{NOW, PEAK};
use barlow_data::{FolderIndex, FolderLayout, ImageFolder, ImageSource, StoredIndex, parse_index, shuffled_indices};

const CLASSES: usize = 1000;
const PER_CLASS: usize = 1281;
const MB: usize = 1_000_000;

/// The peak of allocated bytes while `work` runs, and its result.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    PEAK.store(NOW.load(Ordering::Relaxed), Ordering::Relaxed);
    let result = work();
    (result, PEAK.load(Ordering::Relaxed))
}

#[test]
fn a_million_images_are_indexed_stored_read_and_shuffled_within_100_mb() {
    let before = NOW.load(Ordering::Relaxed);
    let (index, building) = peak(|| {
        let folders = (0..CLASSES).map(|class| {
            // Names such as ImageNet's, not in order.
            let names = (0..PER_CLASS).map(move |image| format!("n{class:08}_{}.JPEG", image * 7919 % 100_003));
            (format!("n{class:08}"), names)
        });
        FolderIndex::new(FolderLayout::Classes, folders).unwrap()
    });
    assert_eq!(index.len(), CLASSES * PER_CLASS);
    let resting = NOW.load(Ordering::Relaxed) - before;
    assert!(resting < 45 * MB, "the index takes {} MB", resting / MB);
    assert!(building < 60 * MB, "building takes {} MB", building / MB);

    let stored = StoredIndex {
        root: "/data/imagenet/train".into(),
        index,
        stamps: (0..CLASSES).map(|class| (format!("n{class:08}").into(), 0)).collect(),
        left_out: Default::default(),
    };
    let (bytes, storing) = peak(|| stored.to_bytes().unwrap());
    let last = stored.index.path(stored.index.len() - 1);
    drop(stored);
    let (read, reading) = peak(|| parse_index(&bytes).unwrap());
    drop(bytes);
    assert!(storing < 100 * MB, "storing takes {} MB", storing / MB);
    assert!(reading < 100 * MB, "reading takes {} MB", reading / MB);

    let (_, planning) = peak(|| {
        let set = ImageFolder::from_index("/data/imagenet/train", read.index, 3);
        let order = shuffled_indices(set.len(), 0, 1);
        assert_eq!(order.len(), CLASSES * PER_CLASS);
        let index = set.len() - 1;
        assert!(set.path(index).ends_with(&last));
        assert_eq!((set.label(index), set.classes().len()), (Some(CLASSES - 1), CLASSES));
        assert!(set.name(index).starts_with("n00000999/n00000999_"));
    });
    assert!(planning < 100 * MB, "planning an epoch takes {} MB", planning / MB);
}
