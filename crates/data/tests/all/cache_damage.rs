//! Tests of unusable image caches: of other images, truncated, of another format, damaged bit by bit.

use crate::caches;
use crate::common;

use std::fs;
use std::sync::Arc;

use barlow_augment::Image8;
use barlow_data::{
    BadImages, CacheError, CacheFault, CacheIndex, CacheState, DataError, DiskCacheConfig, ImageSource, MemorySet,
};
use caches::{cached, config, open, open_error};
use common::image;

#[test]
fn what_the_file_was_made_from_is_checked() {
    let (_dir, source, path) = cached();
    let images = || (0..5).map(|seed| Image8::from(image(seed))).collect::<Vec<_>>();
    let classes = || vec!["ant".to_owned(), "bee".to_owned()];
    let other_labels = MemorySet::new(images(), Some(vec![0, 1, 1, 0, 0]), classes());
    let fewer = MemorySet::new(images()[..4].to_vec(), Some(vec![0, 1, 1, 0]), classes());
    let grey = images()
        .into_iter()
        .map(|image| image.into_channels(1).unwrap())
        .collect();
    let grey = MemorySet::new(grey, Some(vec![0, 1, 1, 0, 1]), classes());
    let outdated = CacheState::Rebuilt(CacheFault::Outdated);
    let sources = [other_labels, fewer, grey].map(|set| Arc::new(set) as Arc<dyn ImageSource>);
    for other in &sources {
        assert_eq!(open(other, &path, &config()).1, outdated);
        assert_eq!(open(other, &path, &config()).1, CacheState::Reused);
    }
    for other in [
        DiskCacheConfig {
            key: [8; 32],
            ..config()
        },
        DiskCacheConfig {
            side: Some(4),
            ..config()
        },
        DiskCacheConfig {
            side: Some(5),
            ..config()
        },
        DiskCacheConfig {
            bad_images: BadImages::Skip,
            ..config()
        },
    ] {
        assert_eq!(open(&source, &path, &other).1, outdated);
        assert_eq!(open(&source, &path, &other).1, CacheState::Reused);
    }
    let threads = DiskCacheConfig { threads: 1, ..config() };
    assert_eq!(open(&source, &path, &config()).1, outdated);
    assert_eq!(open(&source, &path, &threads).1, CacheState::Reused);
}

#[test]
fn a_cut_longer_or_foreign_file_is_made_anew() {
    let (_dir, source, path) = cached();
    let whole = fs::read(&path).unwrap();
    let mut version = whole.clone();
    version[8] = 9;
    for (bytes, fault) in [
        (vec![], CacheFault::Length),
        (whole[..100].to_vec(), CacheFault::Length),
        (whole[..whole.len() - 1].to_vec(), CacheFault::Length),
        ([&whole[..], b"x"].concat(), CacheFault::Length),
        (b"PNG".to_vec(), CacheFault::Foreign),
        (vec![0; whole.len()], CacheFault::Foreign),
        (version, CacheFault::Version { found: 9 }),
    ] {
        fs::write(&path, bytes).unwrap();
        let (cache, state) = open(&source, &path, &config());
        assert_eq!(state, CacheState::Rebuilt(fault));
        assert_eq!(cache.image(4).unwrap(), source.image(4).unwrap());
        assert!(fs::read(&path).unwrap() == whole);
    }
    for len in 0..whole.len() {
        assert!(CacheIndex::parse(&whole[..len]).is_err(), "cut to {len} bytes");
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (_dir, source, path) = cached();
    let whole = fs::read(&path).unwrap();
    let index = CacheIndex::parse(&whole).unwrap();
    let pixels = index.entries[0].offset as usize..whole.len() - 5 * 40;
    assert_eq!(
        pixels.len(),
        (0..5).map(|seed| image(seed).pixels().len()).sum::<usize>()
    );
    for at in (0..whole.len()).filter(|at| !pixels.contains(at)) {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            assert!(CacheIndex::parse(&damaged).is_err(), "bit {bit} of byte {at}");
        }
    }
    // Pixels are checked when they are read, image by image.
    let third = index.entries[3].offset as usize;
    for at in [third, third + index.entries[3].bytes(3) - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, damaged).unwrap();
        let (cache, state) = open(&source, &path, &config());
        assert_eq!(state, CacheState::Reused);
        let error = cache.image(3).unwrap_err();
        assert!(
            matches!(&error, DataError::Cache(CacheError::Damaged { name, .. }) if name == "#3"),
            "{error}"
        );
        assert!(error.path() == Some(&path) && !error.is_bad_image());
        for good in [0, 2, 4] {
            assert_eq!(cache.image(good).unwrap(), source.image(good).unwrap());
        }
    }
}

#[test]
fn a_folder_in_its_place_is_an_error_and_stays() {
    let (dir, source, _) = cached();
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    assert!(matches!(open_error(&source, &folder, &config()), DataError::Read { path, .. } if path == folder));
    assert!(folder.is_dir());
}
