//! Tests of the image cache: built, reused, shrunk, built twice at once.

use crate::caches;
use crate::common;
use crate::counting;

use std::fs;
use std::sync::Arc;

use barlow_augment::{CropBox, Image8, PlanarImage8, resize_bicubic};
use barlow_data::{BadImages, CacheIndex, CacheState, DataError, DiskCache, DiskCacheConfig, ImageSource, MemorySet};
use burn_dataset::Dataset;
use caches::{config, open, open_error};
use common::{add_hostile_files, image, source, two_classes};
use counting::Counting;

#[test]
fn a_second_run_reads_the_file_and_decodes_nothing() {
    let (dir, place) = (two_classes(4), tempfile::tempdir().unwrap());
    let counting = Counting::new(source(&dir));
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
        assert_eq!(counting.asked(), decoded);
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_changes_under_its_name_makes_the_cache_anew() {
    let (dir, place) = (two_classes(3), tempfile::tempdir().unwrap());
    let path = place.path().join("cache");
    open(&source(&dir), &path, &config());
    common::write(
        dir.path(),
        "ant/001.png",
        &barlow_augment::encode_png(&image(7)).unwrap(),
    );
    let (cache, state) = open(&source(&dir), &path, &config());
    assert_eq!(state, CacheState::Rebuilt(barlow_data::CacheFault::Outdated));
    assert_eq!(*cache.image(1).unwrap(), image(7).into());
    assert_eq!(open(&source(&dir), &path, &config()).1, CacheState::Reused);
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
        // The good images have their own names and labels; the bad ones were between them.
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
    // With `BadImages::Error` a cache that hides bad images is not used.
    assert!(open_error(&source, &path, &config()).is_bad_image());
    let hostile = tempfile::tempdir().unwrap();
    add_hostile_files(hostile.path());
    let error = open_error(&common::source(&hostile), &place.path().join("none"), &skip);
    assert!(matches!(error, DataError::AllBad { count: 3, .. }), "{error}");
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
    // One complete file, and no unfinished file next to it.
    assert!(CacheIndex::parse(&fs::read(&path).unwrap()).is_ok());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
