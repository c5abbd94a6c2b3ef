//! Memory test of a WebDataset of ImageNet's size: less than 100 MB, from indexing its shards to planning an epoch. A separate
//! test binary, because it counts every byte that the process allocates.

mod allocations;

use std::sync::atomic::Ordering;

use allocations::{NOW, PEAK};
use barlow_data::{
    ImageSource, StoredTars, TarIndex, TarStamp, WebDataset, index_tar, parse_tar_indexes, shuffled_indices,
};

const SHARDS: usize = 1281;
const PER_SHARD: usize = 1000;
const DISTINCT: usize = 20;
const MB: usize = 1_000_000;

/// The peak of allocated bytes while `work` runs, and its result.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    PEAK.store(NOW.load(Ordering::Relaxed), Ordering::Relaxed);
    let result = work();
    (result, PEAK.load(Ordering::Relaxed))
}

/// A header and its content in whole blocks.
fn member(tar: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).unwrap();
    header.set_size(content.len() as u64);
    header.set_cksum();
    tar.extend(header.as_bytes());
    tar.extend(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

/// A shard with names such as those of ImageNet's shards, and images of a few bytes.
fn shard(number: usize) -> Vec<u8> {
    let mut tar = Vec::new();
    for image in 0..PER_SHARD {
        let class = (number * PER_SHARD + image) % 1000;
        let key = format!("n{class:08}_{}", 1_000_000 + number * PER_SHARD + image);
        member(&mut tar, &format!("{key}.cls"), class.to_string().as_bytes());
        member(&mut tar, &format!("{key}.jpg"), b"pixels");
    }
    tar
}

fn stamped(number: usize, index: TarIndex) -> (TarStamp, TarIndex) {
    let tar = TarStamp {
        path: format!("/data/imagenet/train-{number:06}.tar"),
        stamp: [3 << 20, 0],
    };
    (tar, index)
}

#[test]
fn a_million_images_in_tars_are_indexed_stored_read_and_shuffled_within_100_mb() {
    let before = NOW.load(Ordering::Relaxed);
    let (tars, indexing) = peak(|| {
        // A few shards, each counted many times: the sizes are the same, and building tars is slow.
        let distinct: Vec<TarIndex> = (0..DISTINCT).map(|number| index_tar(&shard(number))).collect();
        let one = |number: usize| stamped(number, distinct[number % DISTINCT].clone());
        StoredTars((0..SHARDS).map(one).collect())
    });
    let resting = NOW.load(Ordering::Relaxed) - before;
    assert_eq!(
        tars.0.iter().map(|(_, index)| index.len()).sum::<usize>(),
        SHARDS * PER_SHARD
    );
    assert!(resting < 80 * MB, "the indexes take {} MB", resting / MB);
    assert!(indexing < 90 * MB, "indexing takes {} MB", indexing / MB);

    let bytes = tars.to_bytes();
    drop(tars);
    let stored = bytes.len();
    let (read, reading) = peak(|| parse_tar_indexes(&bytes).unwrap());
    drop(bytes);
    assert!(
        reading - stored < 80 * MB,
        "reading takes {} MB",
        (reading - stored) / MB
    );

    let (_, planning) = peak(|| {
        let set = WebDataset::from_indexes(read.0, 3).unwrap();
        assert_eq!((set.len(), set.classes().len()), (SHARDS * PER_SHARD, 1000));
        let last = set.len() - 1;
        assert_eq!(set.name(last), "train-001280.tar/n00000999_1000999.jpg");
        assert_eq!(set.label(last), Some(999));
        assert_eq!(shuffled_indices(set.len(), 0, 1).len(), set.len());
    });
    assert!(planning < 100 * MB, "planning an epoch takes {} MB", planning / MB);
}
