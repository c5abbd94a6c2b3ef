//! The cache on the disk: made, used again, shrunk, damaged in every way, made twice at once.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use barlow_augment::{CropBox, Image8, PlanarImage8, resize_bicubic};
use barlow_data::{
    BadImages, CacheError, CacheFault, CacheIndex, CacheState, DataError, DiskCache, DiskCacheConfig, ImageSource,
    MemorySet,
};
use burn_dataset::Dataset;
use common::{add_hostile_files, image, source, two_classes};

fn config() -> DiskCacheConfig {
    DiskCacheConfig {
        key: [7; 32],
        side: None,
        bad_images: BadImages::Error,
        threads: 2,
    }
}

fn open(source: &Arc<dyn ImageSource>, path: &Path, config: &DiskCacheConfig) -> (DiskCache, CacheState) {
    DiskCache::open_or_build(Arc::clone(source), path, config, &mut |_, _| {}).unwrap()
}

fn open_error(source: &Arc<dyn ImageSource>, path: &Path, config: &DiskCacheConfig) -> DataError {
    let error = DiskCache::open_or_build(Arc::clone(source), path, config, &mut |_, _| {})
        .err()
        .unwrap();
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

/// A set of five images and the file of its cache.
fn cached() -> (tempfile::TempDir, Arc<dyn ImageSource>, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let images = (0..5).map(|seed| image(seed).into()).collect();
    let set = MemorySet::new(images, Some(vec![0, 1, 1, 0, 1]), vec!["ant".into(), "bee".into()]);
    let (source, path): (Arc<dyn ImageSource>, _) = (Arc::new(set), dir.path().join("below/train.images"));
    assert_eq!(open(&source, &path, &config()).1, CacheState::Built);
    (dir, source, path)
}

/// Counts the images asked for.
struct Counting(Arc<dyn ImageSource>, AtomicUsize);

impl ImageSource for Counting {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn classes(&self) -> &[String] {
        self.0.classes()
    }
    fn channels(&self) -> usize {
        self.0.channels()
    }
    fn label(&self, index: usize) -> Option<usize> {
        self.0.label(index)
    }
    fn name(&self, index: usize) -> String {
        self.0.name(index)
    }
    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.image(index)
    }
}

#[test]
fn a_second_run_reads_the_file_and_decodes_nothing() {
    let (dir, place) = (two_classes(4), tempfile::tempdir().unwrap());
    let counting = Arc::new(Counting(source(&dir), AtomicUsize::new(0)));
    let (source, path): (Arc<dyn ImageSource>, _) = (counting.clone(), place.path().join("cache"));
    for (expected, decoded) in [(CacheState::Built, 8), (CacheState::Reused, 8)] {
        let (cache, state) = open(&source, &path, &config());
        assert_eq!(
            (state, cache.len(), cache.classes(), cache.channels()),
            (expected, 8, source.classes(), 3)
        );
        assert_eq!(
            cache.bytes(),
            (0..8).map(|seed| image(seed).pixels().len() as u64).sum::<u64>()
        );
        for index in 0..8 {
            assert_eq!(*cache.image(index).unwrap(), image(index).into());
            assert_eq!(
                (cache.label(index), cache.name(index)),
                (source.label(index), source.name(index))
            );
        }
        assert_eq!(cache.get(5).unwrap().unwrap().image, image(5).into());
        assert_eq!((cache.skipped().count, cache.source_index(5)), (0, 5));
        assert_eq!(counting.1.load(Ordering::Relaxed), decoded);
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn large_images_are_shrunk_to_the_side_and_small_ones_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let wide = |width, height| {
        Image8::from(barlow_augment::RgbImage8::from_fn(width, height, |x, y| {
            [x as u8, y as u8, 9]
        }))
    };
    let images = vec![wide(50, 21), wide(20, 33), wide(8, 90), wide(10, 10)];
    let source: Arc<dyn ImageSource> = Arc::new(MemorySet::new(images.clone(), None, vec![]));
    let (cache, _) = open(
        &source,
        &dir.path().join("cache"),
        &DiskCacheConfig {
            side: Some(10),
            ..config()
        },
    );
    for (index, (width, height)) in [(23, 10), (10, 16), (8, 90), (10, 10)].into_iter().enumerate() {
        let image = &images[index];
        let expected = resize_bicubic(image, CropBox::whole(image.width(), image.height()), width, height);
        assert_eq!(*cache.image(index).unwrap(), expected, "image {index}");
    }
}

#[test]
fn images_of_any_channels_come_back_the_same() {
    for channels in [1, 2, 4, 7] {
        let dir = tempfile::tempdir().unwrap();
        let planes = (0..channels * 6).map(|at| at as u8).collect();
        let image = Image8::from(PlanarImage8::new(channels, 3, 2, planes));
        let source: Arc<dyn ImageSource> = Arc::new(MemorySet::new(vec![image.clone()], None, vec![]));
        let (cache, _) = open(&source, &dir.path().join("cache"), &config());
        assert_eq!(
            (&*cache.image(0).unwrap(), cache.channels(), cache.label(0)),
            (&image, channels, None)
        );
    }
}

#[test]
fn the_file_does_not_depend_on_threads_and_progress_is_told() {
    let (dir, place) = (two_classes(30), tempfile::tempdir().unwrap());
    let mut files = Vec::new();
    for threads in [0, 1, 2, 7] {
        let (path, mut told) = (place.path().join(threads.to_string()), Vec::new());
        let config = DiskCacheConfig {
            threads,
            side: Some(9),
            ..config()
        };
        DiskCache::open_or_build(source(&dir), &path, &config, &mut |done, total| {
            told.push((done, total))
        })
        .unwrap();
        assert_eq!(told.last(), Some(&(60, 60)));
        assert!(
            told.is_sorted() && told.iter().all(|&(_, total)| total == 60),
            "{told:?}"
        );
        files.push(fs::read(path).unwrap());
    }
    assert!(files.iter().all(|file| *file == files[0]));
}

#[test]
fn bad_images_are_left_out_and_still_told_when_the_file_is_used_again() {
    let (dir, place) = (two_classes(3), tempfile::tempdir().unwrap());
    let [cut, ..] = add_hostile_files(dir.path());
    let (source, path) = (source(&dir), place.path().join("cache"));
    assert_eq!(open_error(&source, &path, &config()).path(), Some(&*cut));
    assert_eq!(
        fs::read_dir(place.path()).unwrap().count(),
        0,
        "a failed cache leaves nothing behind"
    );
    let skip = DiskCacheConfig {
        bad_images: BadImages::Skip,
        ..config()
    };
    for expected in [CacheState::Built, CacheState::Reused] {
        let (cache, state) = open(&source, &path, &skip);
        assert_eq!((state, cache.len(), cache.skipped().count), (expected, 6, 3));
        assert!(cache.skipped().first.unwrap().contains("a_cut.jpg"));
        // The good images keep their names and labels; the bad ones lie between them.
        assert_eq!(
            (cache.source_index(0), cache.name(0), cache.label(5)),
            (0, "ant/000.png".into(), Some(1))
        );
        for index in 0..6 {
            assert_eq!(
                cache.image(index).unwrap(),
                source.image(cache.source_index(index)).unwrap()
            );
        }
    }
    // Who wants errors does not get a cache that hides them.
    assert!(open_error(&source, &path, &config()).is_bad_image());
    let hostile = tempfile::tempdir().unwrap();
    add_hostile_files(hostile.path());
    let error = open_error(&common::source(&hostile), &place.path().join("none"), &skip);
    assert!(matches!(error, DataError::AllBad { count: 3, .. }), "{error}");
}

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
fn several_that_make_it_at_once_do_not_disturb_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cache");
    let images = (0..40).map(|seed| image(seed).into()).collect();
    let source: Arc<dyn ImageSource> = Arc::new(MemorySet::new(images, None, vec![]));
    std::thread::scope(|scope| {
        for side in [4, 4, 5, 6, 7, 7] {
            let (source, path) = (&source, &path);
            scope.spawn(move || {
                for _ in 0..5 {
                    let (cache, _) = open(
                        source,
                        path,
                        &DiskCacheConfig {
                            side: Some(side),
                            ..config()
                        },
                    );
                    for index in 0..40 {
                        let image = cache.image(index).unwrap();
                        assert_eq!(image.width().min(image.height()), side, "image {index}");
                    }
                }
            });
        }
    });
    // One whole file, and nothing unfinished beside it.
    assert!(CacheIndex::parse(&fs::read(&path).unwrap()).is_ok());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_in_its_place_is_an_error_and_stays() {
    let (dir, source, _) = cached();
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    assert!(matches!(open_error(&source, &folder, &config()), DataError::Read { path, .. } if path == folder));
    assert!(folder.is_dir());
}
