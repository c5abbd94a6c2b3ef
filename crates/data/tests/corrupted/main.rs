//! Tests on a thousand damaged files: no panic, no hang, and each is used, or reported as configured by `bad_images`.

#[path = "../all/common/mod.rs"]
mod common;
mod make;

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use barlow_data::{BadImages, DataError, DecodedSet, ImageFolder, ImageSource, LoaderConfig, ViewLoader};
use common::views;
use make::{Damaged, FILES, Images, Verdict, damaged_files};
use tempfile::TempDir;

/// Maximal time for one pass over all files. A pass takes seconds; a decoder that hangs never ends.
const LIMIT: Duration = Duration::from_secs(240);

/// The folder, made once for all tests of this binary, with the expected verdicts on its files.
fn folder() -> &'static (TempDir, Vec<Damaged>) {
    static FOLDER: OnceLock<(TempDir, Vec<Damaged>)> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let (dir, files) = (tempfile::tempdir().unwrap(), damaged_files(&Images::shipped()));
        assert_eq!(files.len(), FILES);
        for file in &files {
            fs::write(dir.path().join(&file.name), &file.bytes).unwrap();
        }
        (dir, files)
    })
}

fn open() -> ImageFolder {
    let set = ImageFolder::open(folder().0.path(), 3).unwrap();
    assert_eq!(ImageSource::len(&set), FILES);
    set
}

/// The result of `work`; panics if it takes longer than [`LIMIT`]. `doing` is the file that it was working on.
fn in_time<T: Send + 'static>(doing: &AtomicUsize, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = channel();
    let worker = std::thread::spawn(move || {
        let _ = sender.send(work());
    });
    match receiver.recv_timeout(LIMIT) {
        Ok(result) => result,
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
            let file = folder()
                .1
                .get(doing.load(Ordering::Relaxed))
                .map(|file| file.name.as_str());
            panic!("not finished after {LIMIT:?}; the last file begun: {file:?}")
        }
        Err(_) => std::panic::resume_unwind(worker.join().expect_err("it sent nothing, so it panicked")),
    }
}

/// The reason for every file that is rejected, by its number.
fn refused() -> &'static BTreeMap<usize, String> {
    static REFUSED: OnceLock<BTreeMap<usize, String>> = OnceLock::new();
    REFUSED.get_or_init(|| {
        let (set, doing) = (open(), Arc::new(AtomicUsize::new(0)));
        let at = Arc::clone(&doing);
        in_time(&doing, move || {
            let mut refused = BTreeMap::new();
            for index in 0..FILES {
                at.store(index, Ordering::Relaxed);
                if let Err(error) = set.image(index) {
                    assert!(error.is_bad_image(), "{error}");
                    assert_eq!(error.path(), Some(&*set.path(index)));
                    refused.insert(index, error.to_string());
                }
            }
            refused
        })
    })
}

#[test]
fn every_file_is_used_or_refused_in_one_line_that_names_it() {
    let (refused, files) = (refused(), &folder().1);
    for (index, file) in files.iter().enumerate() {
        let reason = refused.get(&index);
        match file.verdict {
            Verdict::Usable => assert_eq!(reason, None, "{}", file.name),
            Verdict::Bad => assert!(reason.is_some(), "{} is usable", file.name),
            Verdict::Either => {}
        }
        let Some(reason) = reason else { continue };
        assert!(
            reason.contains(&file.name) && reason.contains("data.bad_images"),
            "{reason}"
        );
        assert!(
            !reason.contains(['\n', '\r']) && reason.len() < 600,
            "{}: {reason:?}",
            file.name
        );
        assert!(!reason.contains("panicked"), "{reason}");
    }
    // Both results occur among the files with flipped bits; otherwise the damage is too small or too large to test anything.
    let flipped = |refused_too: bool| {
        let is_one = |(index, file): &(usize, &Damaged)| {
            file.name.contains("flipped") && refused.contains_key(index) == refused_too
        };
        files.iter().enumerate().filter(is_one).count()
    };
    assert!(
        flipped(true) > 50 && flipped(false) > 50,
        "{} {}",
        flipped(true),
        flipped(false)
    );
}

#[test]
fn skipped_and_usable_files_add_up() {
    let refused = refused();
    let (set, skipped) = in_time(&AtomicUsize::new(0), || {
        let set = DecodedSet::load(&open(), BadImages::Skip, 2).unwrap();
        let skipped = set.skipped().clone();
        (set, skipped)
    });
    assert_eq!(skipped.count, refused.len());
    assert_eq!(skipped.count + set.len(), FILES);
    assert_eq!(skipped.first.as_ref(), refused.values().next());

    let (loaded, batches) = in_time(&AtomicUsize::new(0), || {
        let loader = loader(BadImages::Skip);
        let batches: Result<Vec<_>, DataError> = loader.epoch(0, 0).collect();
        (loader.skipped(), batches.unwrap())
    });
    assert_eq!(loaded, skipped);
    assert_eq!(batches.len(), FILES / 50);
    for index in batches.iter().flat_map(|batch| &batch.indices) {
        assert!(!refused.contains_key(index), "{index} was refused and is in a batch");
    }
}

#[test]
fn with_error_the_first_bad_file_stops_the_loader_by_its_name() {
    let refused = refused();
    let error = in_time(&AtomicUsize::new(0), || {
        DecodedSet::load(&open(), BadImages::Error, 2).unwrap_err()
    });
    assert_eq!(Some(&error.to_string()), refused.values().next());

    let (good, error) = in_time(&AtomicUsize::new(0), || {
        let loader = loader(BadImages::Error);
        let (good, mut bad): (Vec<_>, Vec<_>) = loader.epoch(0, 0).partition(Result::is_ok);
        assert_eq!(bad.len(), 1, "nothing comes after the error");
        (good.len(), bad.remove(0).unwrap_err())
    });
    let order = barlow_data::shuffled_indices(FILES, 0, 0);
    let first = order.iter().position(|index| refused.contains_key(index)).unwrap();
    assert_eq!(error.to_string(), refused[&order[first]]);
    assert_eq!(good, first / 50);
}

fn loader(bad_images: BadImages) -> ViewLoader {
    let config = LoaderConfig {
        batch_size: 50,
        bad_images,
        ..Default::default()
    };
    ViewLoader::new(Arc::new(open()), views(), config).unwrap()
}
