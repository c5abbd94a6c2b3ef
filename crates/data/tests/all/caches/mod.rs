//! Helpers that make an image cache.

// Each test binary uses only some of these helpers.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use barlow_data::{BadImages, CacheState, DataError, DiskCache, DiskCacheConfig, ImageSource, MemorySet};

use crate::common::image;

pub fn config() -> DiskCacheConfig {
    DiskCacheConfig {
        key: [7; 32],
        side: None,
        bad_images: BadImages::Error,
        threads: 2,
    }
}

pub fn open(source: &Arc<dyn ImageSource>, path: &Path, config: &DiskCacheConfig) -> (DiskCache, CacheState) {
    DiskCache::open_or_build(Arc::clone(source), path, config, &mut |_, _| {}).unwrap()
}

pub fn open_error(source: &Arc<dyn ImageSource>, path: &Path, config: &DiskCacheConfig) -> DataError {
    let error = DiskCache::open_or_build(Arc::clone(source), path, config, &mut |_, _| {})
        .err()
        .unwrap();
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

/// A set of five images and the file of its cache.
pub fn cached() -> (tempfile::TempDir, Arc<dyn ImageSource>, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let images = (0..5).map(|seed| image(seed).into()).collect();
    let set = MemorySet::new(images, Some(vec![0, 1, 1, 0, 1]), vec!["ant".into(), "bee".into()]);
    let (source, path): (Arc<dyn ImageSource>, _) = (Arc::new(set), dir.path().join("below/train.images"));
    assert_eq!(open(&source, &path, &config()).1, CacheState::Built);
    (dir, source, path)
}
