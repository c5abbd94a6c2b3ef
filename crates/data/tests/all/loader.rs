//! Tests of the loader: identical batches for any number of workers, resume, early end, errors, bad images.

use crate::common;
use crate::counting;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use barlow_data::{BadImages, DataError, DecodedSet, HostBatch, ImageFolder, ImageSource, LoaderConfig, ViewLoader};
use common::{Panicking, add_hostile_files, source, two_classes, views, write};
use counting::Counting;

const CONFIG: LoaderConfig = LoaderConfig {
    batch_size: 4,
    workers: 2,
    queue: 2,
    seed: 9,
    drop_last: true,
    bad_images: BadImages::Error,
};

fn loader(source: &Arc<dyn ImageSource>, config: LoaderConfig) -> ViewLoader {
    ViewLoader::new(Arc::clone(source), views(), config).unwrap()
}

fn batches(loader: &ViewLoader, epoch: u64, first_step: usize) -> Vec<HostBatch> {
    loader.epoch(epoch, first_step).map(Result::unwrap).collect()
}

#[test]
fn batches_do_not_depend_on_workers_or_queue() {
    let dir = two_classes(9);
    let source = source(&dir);
    let expected = batches(&loader(&source, LoaderConfig { workers: 0, ..CONFIG }), 3, 0);
    assert_eq!(expected.len(), 4);
    for (workers, queue) in [(1, 0), (1, 2), (2, 1), (5, 3)] {
        let made = batches(
            &loader(
                &source,
                LoaderConfig {
                    workers,
                    queue,
                    ..CONFIG
                },
            ),
            3,
            0,
        );
        assert!(made == expected, "{workers} workers, queue {queue}");
    }
    // Nor on whether the images are in memory.
    let decoded: Arc<dyn ImageSource> = Arc::new(DecodedSet::load(&*source, BadImages::Error, 3).unwrap());
    assert!(batches(&loader(&decoded, CONFIG), 3, 0) == expected);
}

/// Photographs, of which only what the views read is decoded, and which a set in memory holds whole.
#[test]
fn batches_do_not_depend_on_whether_images_are_decoded_whole() {
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/bccd-mini-24/BCCD/JPEGImages");
    let mut files: Vec<PathBuf> = fs::read_dir(photos)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let dir = tempfile::tempdir().unwrap();
    for (number, file) in files[..4].iter().enumerate() {
        let class = ["ant", "bee"][number % 2];
        write(dir.path(), &format!("{class}/{number}.jpg"), &fs::read(file).unwrap());
    }
    let source = source(&dir);
    let views = views();
    let region = source
        .region(0, &|width, height| views.region(width, height, CONFIG.seed, 0, 0))
        .unwrap();
    assert_eq!((region.width(), region.height()), (640, 480));
    assert!(region.pixels().bytes() < 3 * 640 * 480, "{:?}", region.part());
    let decoded: Arc<dyn ImageSource> = Arc::new(DecodedSet::load(&*source, BadImages::Error, 3).unwrap());
    assert!(batches(&loader(&decoded, CONFIG), 0, 0) == batches(&loader(&source, CONFIG), 0, 0));
}

#[test]
fn an_epoch_visits_images_once_and_views_are_keyed_by_image_and_epoch() {
    let dir = two_classes(8);
    let source = source(&dir);
    let loader = loader(&source, CONFIG);
    let (first, second) = (batches(&loader, 0, 0), batches(&loader, 1, 0));
    let order = |batches: &[HostBatch]| batches.iter().flat_map(|b| b.indices.clone()).collect::<Vec<_>>();
    let mut sorted = order(&first);
    sorted.sort_unstable();
    assert_eq!(sorted, (0..16).collect::<Vec<_>>());
    assert_ne!(order(&first), order(&second));
    let batch = &first[2];
    assert_eq!((batch.n, batch.channels, batch.views.len()), (4, 3, 2));
    for row in 0..4 {
        let index = batch.indices[row];
        assert_eq!(batch.labels[row], source.label(index));
        let (mut a, mut b) = (vec![0.0; 192], vec![0.0; 192]);
        views().apply(
            &source.image(index).unwrap(),
            CONFIG.seed,
            0,
            index as u64,
            &mut [&mut a, &mut b],
        );
        for (number, (view, expected)) in batch.views.iter().zip([a, b]).enumerate() {
            assert_eq!((view.size, view.group), (8, number));
            assert_eq!(view.pixels[row * 192..][..192], expected);
        }
    }
}

#[test]
fn a_resumed_epoch_has_the_same_remaining_batches() {
    let dir = two_classes(9);
    let source = source(&dir);
    let loader = loader(&source, CONFIG);
    let whole = batches(&loader, 5, 0);
    for first_step in 0..=4 {
        assert!(
            batches(&loader, 5, first_step) == whole[first_step..],
            "from step {first_step}"
        );
    }
    assert!(batches(&loader, 5, 99).is_empty());
}

/// The parts of several processes, one after the other, are the batches of one.
#[test]
fn shares_of_a_batch_are_its_rows() {
    let dir = two_classes(9);
    let source = source(&dir);
    let config = LoaderConfig {
        batch_size: 7,
        drop_last: false,
        ..CONFIG
    };
    let whole = batches(&loader(&source, config), 2, 0);
    let sizes = |batches: &[HostBatch]| batches.iter().map(|batch| batch.n).collect::<Vec<_>>();
    assert_eq!(sizes(&whole), [7, 7, 4]);
    for count in [1, 2, 3, 5] {
        let mut next = vec![0; whole.len()];
        for index in 0..count {
            let part = loader(&source, config).with_share(index, count);
            assert_eq!(part.steps_per_epoch(), whole.len());
            for (step, part) in batches(&part, 2, 0).into_iter().enumerate() {
                let rows = next[step]..next[step] + part.n;
                assert!(
                    part == whole[step].clone().rows(rows.clone()),
                    "part {index} of {count}, step {step}"
                );
                next[step] = rows.end;
            }
        }
        assert_eq!(next, [7, 7, 4]);
    }
    let part = loader(&source, config).with_share(1, 3);
    let of_set: Vec<usize> = part.whole_set(9).map(|batch| batch.unwrap().n).collect();
    assert_eq!(of_set, [2, 2, 1]);
}

#[test]
fn the_last_batch_is_dropped_or_kept_but_never_a_single_image() {
    let dir = two_classes(9);
    let source = source(&dir);
    for (batch_size, drop_last, expected) in [
        (4, true, vec![4; 4]),
        (4, false, vec![4, 4, 4, 4, 2]),
        (17, false, vec![17]),
        (6, false, vec![6; 3]),
        (18, true, vec![18]),
    ] {
        let loader = loader(
            &source,
            LoaderConfig {
                batch_size,
                drop_last,
                ..CONFIG
            },
        );
        let sizes: Vec<usize> = batches(&loader, 0, 0).iter().map(|batch| batch.n).collect();
        assert_eq!(sizes, expected, "batch {batch_size}");
        assert_eq!(loader.steps_per_epoch(), expected.len());
    }
}

#[test]
fn a_batch_size_that_cannot_be_is_an_error_with_both_numbers() {
    let dir = two_classes(2);
    let error = |batch_size| {
        ViewLoader::new(source(&dir), views(), LoaderConfig { batch_size, ..CONFIG })
            .err()
            .unwrap()
    };
    assert_eq!(
        error(5).to_string(),
        "a batch of 5 does not fit 4 images; set train.batch_size to 4 or less, or add images"
    );
    assert!(matches!(error(1), DataError::BatchTooSmall { batch_size: 1 }));
    assert!(matches!(error(0), DataError::BatchTooSmall { batch_size: 0 }));
}

#[test]
fn leaving_an_epoch_early_stops_the_work_before_it_returns() {
    let dir = two_classes(30);
    let counting = Counting::new(source(&dir));
    let source: Arc<dyn ImageSource> = counting.clone();
    for (workers, queue) in [(1, 0), (1, 2), (3, 0), (3, 2)] {
        let loader = loader(
            &source,
            LoaderConfig {
                workers,
                queue,
                batch_size: 2,
                ..CONFIG
            },
        );
        for taken in [0, 1, 5] {
            let mut epoch = loader.epoch(0, 0);
            assert_eq!(epoch.by_ref().take(taken).map(Result::unwrap).count(), taken);
            drop(epoch);
            // Besides the taken batches: those in the queue, the one that the thread holds, and the one begun meanwhile.
            let asked = counting.take();
            assert!(
                asked <= 2 * (taken + queue + 2),
                "{asked} images, {taken} batches taken"
            );
            std::thread::sleep(Duration::from_millis(20));
            assert_eq!(counting.take(), 0, "images loaded after the end");
        }
        // No unfinished batch reaches the next epoch.
        assert_eq!(batches(&loader, 0, 0).len(), 30);
        counting.take();
    }
}

#[test]
fn the_queue_bounds_what_is_made_ahead() {
    let dir = two_classes(50);
    let counting = Counting::new(source(&dir));
    let loader = ViewLoader::new(counting.clone(), views(), LoaderConfig { queue: 3, ..CONFIG }).unwrap();
    let mut epoch = loader.epoch(0, 0);
    assert!(epoch.next().unwrap().is_ok());
    // One taken, three in the queue, one held by the blocked thread: 5 batches of 4.
    let start = Instant::now();
    while counting.asked() < 20 && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(counting.asked(), 20);
}

#[test]
fn images_and_statistics_of_other_channels_are_an_error_before_the_first_batch() {
    let dir = two_classes(4);
    let grey: Arc<dyn ImageSource> = Arc::new(ImageFolder::open(dir.path(), 1).unwrap());
    let Err(error) = ViewLoader::new(grey, views(), CONFIG) else {
        panic!("grey images went through a normalisation of three channels")
    };
    assert!(
        matches!(
            error,
            DataError::ChannelsDiffer {
                images: 1,
                normalised: 3
            }
        ),
        "{error}"
    );
}

#[test]
fn a_bad_image_stops_the_epoch_with_its_path() {
    let dir = two_classes(9);
    let [cut, text, empty] = add_hostile_files(dir.path());
    let source = source(&dir);
    let mut errors = Vec::new();
    for workers in [0, 1, 5] {
        let loader = loader(&source, LoaderConfig { workers, ..CONFIG });
        let results: Vec<_> = loader.epoch(0, 0).collect();
        let (last, good) = results.split_last().unwrap();
        assert!(good.iter().all(Result::is_ok));
        let error = last.as_ref().unwrap_err();
        assert!(
            [&cut, &text, &empty].into_iter().any(|path| error.path() == Some(path)),
            "{error}"
        );
        errors.push((good.len(), error.to_string()));
    }
    assert!(errors.iter().all(|error| *error == errors[0]), "{errors:?}");
}

#[test]
fn skipped_images_are_replaced_the_same_way_for_any_workers_and_counted() {
    let dir = two_classes(9);
    let [cut, ..] = add_hostile_files(dir.path());
    let source = source(&dir);
    let config = LoaderConfig {
        bad_images: BadImages::Skip,
        ..CONFIG
    };
    let mut made = Vec::new();
    for workers in [0, 2, 5] {
        let loader = loader(&source, LoaderConfig { workers, ..config });
        assert_eq!(loader.skipped().count, 0);
        let all = [batches(&loader, 0, 0), batches(&loader, 1, 0)].concat();
        assert!(
            all.iter()
                .flat_map(|batch| &batch.indices)
                .all(|&index| source.image(index).is_ok())
        );
        let skipped = loader.skipped();
        assert_eq!(skipped.count, 3);
        assert!(skipped.first.unwrap().contains(cut.to_str().unwrap()));
        // The images that are known to be bad by now change nothing.
        assert!(batches(&loader, 0, 0) == all[..5]);
        made.push(all);
    }
    assert!(made.iter().all(|batches| *batches == made[0]));
}

#[test]
fn a_set_without_a_good_image_is_an_error_even_when_skipping() {
    let dir = tempfile::tempdir().unwrap();
    add_hostile_files(dir.path());
    let source = source(&dir);
    let config = LoaderConfig {
        bad_images: BadImages::Skip,
        batch_size: 2,
        ..CONFIG
    };
    let error = loader(&source, config).epoch(0, 0).next().unwrap().unwrap_err();
    assert!(
        matches!(&error, DataError::AllBad { count: 3, first } if first.contains("a_cut.jpg")),
        "{error}"
    );
}

#[test]
fn a_panic_of_a_worker_reaches_the_caller_as_an_error() {
    for workers in [0, 1, 3] {
        let source: Arc<dyn ImageSource> = Arc::new(Panicking(7));
        let results: Vec<_> = loader(&source, LoaderConfig { workers, ..CONFIG })
            .epoch(0, 0)
            .collect();
        let error = results.last().unwrap().as_ref().unwrap_err();
        assert!(
            matches!(error, DataError::WorkerPanicked { message } if message == "image 7 is cursed"),
            "{error}"
        );
    }
}

#[test]
fn a_pass_over_the_whole_set_has_every_image_once_and_no_batch_of_one() {
    for (per_class, sizes) in [(9, vec![4, 4, 4, 4, 2]), (8, vec![4; 4])] {
        let dir = two_classes(per_class);
        let source = source(&dir);
        for workers in [0, 2] {
            let loader = loader(&source, LoaderConfig { workers, ..CONFIG });
            let batches: Vec<HostBatch> = loader.whole_set(1 << 63).map(Result::unwrap).collect();
            assert_eq!(batches.iter().map(|batch| batch.n).collect::<Vec<_>>(), sizes);
            let order: Vec<usize> = batches.iter().flat_map(|batch| batch.indices.clone()).collect();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..2 * per_class).collect::<Vec<_>>());
            assert_ne!(order, sorted, "classes would come one after the other");
        }
    }
    // One image would be left over.
    let dir = two_classes(9);
    let odd = loader(
        &source(&dir),
        LoaderConfig {
            batch_size: 17,
            ..CONFIG
        },
    );
    assert_eq!(odd.whole_set(0).map(|batch| batch.unwrap().n).collect::<Vec<_>>(), [18]);
}
