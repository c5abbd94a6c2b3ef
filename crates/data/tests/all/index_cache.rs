//! Tests of the cached index of a folder: used while it is up to date, rebuilt otherwise, never the cause of an error.

#![cfg(unix)] // The tests set times of folders, which the standard library supports on Unix only.

use crate::common;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use barlow_data::{DataError, ImageFolder, ImageSource, IndexCache, IndexNote, OpenOptions, Splits};
use common::{folder, two_classes, write};
use tempfile::TempDir;

/// A cache for sets of any size.
fn cache(dir: &TempDir) -> IndexCache {
    IndexCache {
        min_images: 1,
        ..IndexCache::new(dir.path().join("indexes"))
    }
}

/// Makes a folder and those below it look unchanged for `hours`.
fn age(folder: &Path, hours: u64) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path, hours);
        }
    }
    let time = SystemTime::now() - Duration::from_secs(3600 * hours);
    fs::File::open(folder).unwrap().set_modified(time).unwrap();
}

fn open(root: &Path, cache: &IndexCache) -> (ImageFolder, IndexNote) {
    let (folder, note) = ImageFolder::open_cached(root, 3, cache).unwrap();
    assert!(!note.to_string().contains('\n'), "{note}");
    (folder, note)
}

fn names(folder: &ImageFolder) -> Vec<(String, Option<usize>)> {
    (0..folder.len())
        .map(|index| (folder.name(index), folder.label(index)))
        .collect()
}

#[test]
fn a_stored_index_stands_for_the_folder_without_listing_it() {
    let (root, place) = (two_classes(3), tempfile::tempdir().unwrap());
    let cache = cache(&place);
    age(root.path(), 5);
    let (listed, note) = open(root.path(), &cache);
    let file = cache.file(root.path());
    assert_eq!(
        note,
        IndexNote::Stored {
            file: file.clone(),
            replaced: None
        }
    );
    let (read, note) = open(root.path(), &cache);
    assert_eq!(note, IndexNote::Used { file });
    assert_eq!((names(&read), read.classes()), (names(&listed), listed.classes()));
    // A file added without changing its folder's time shows that nothing was listed.
    let class = root.path().join("ant");
    let time = fs::metadata(&class).unwrap().modified().unwrap();
    write(root.path(), "ant/new.png", b"");
    fs::File::open(&class).unwrap().set_modified(time).unwrap();
    assert_eq!(open(root.path(), &cache).0.len(), 6);
}

#[test]
fn every_change_of_a_folder_is_noticed() {
    type Change = fn(&Path);
    let changes: [Change; 6] = [
        |root| drop(write(root, "ant/new.png", b"")),
        |root| fs::remove_file(root.join("bee/000.png")).unwrap(),
        |root| fs::rename(root.join("bee/001.png"), root.join("bee/zzz.png")).unwrap(),
        |root| drop(write(root, "cow/0.png", b"")),
        |root| fs::remove_dir_all(root.join("bee")).unwrap(),
        |root| fs::rename(root.join("ant"), root.join("fly")).unwrap(),
    ];
    for change in changes {
        let (root, place) = (two_classes(3), tempfile::tempdir().unwrap());
        let cache = cache(&place);
        age(root.path(), 5);
        open(root.path(), &cache);
        change(root.path());
        let (changed, note) = open(root.path(), &cache);
        // The change is less than two seconds old: another one may follow undetected.
        assert_eq!(note, IndexNote::Unsettled);
        let fresh = ImageFolder::open(root.path(), 3).unwrap();
        assert_eq!(names(&changed), names(&fresh));
        age(root.path(), 3);
        let (changed, note) = open(root.path(), &cache);
        assert!(
            matches!(&note, IndexNote::Stored { replaced: Some(why), .. } if why == "out of date"),
            "{note:?}"
        );
        assert_eq!(names(&changed), names(&fresh));
        assert!(matches!(open(root.path(), &cache).1, IndexNote::Used { .. }));
    }
}

#[test]
fn a_damaged_or_foreign_index_is_made_anew() {
    let (root, place) = (two_classes(3), tempfile::tempdir().unwrap());
    let cache = cache(&place);
    age(root.path(), 5);
    let (listed, _) = open(root.path(), &cache);
    let file = cache.file(root.path());
    let good = fs::read(&file).unwrap();
    let other = two_classes(2);
    age(other.path(), 5);
    open(other.path(), &cache);
    let foreign = fs::read(cache.file(other.path())).unwrap();
    let mut flipped = good.clone();
    // In a name: the structure stays valid, and only the checksum tells.
    let name = good.windows(7).position(|bytes| bytes == b"001.png").unwrap();
    flipped[name] ^= 4;
    let mut newer = good.clone();
    newer[8] = 99;
    for (bytes, reason) in [
        (&good[..good.len() / 2], "cut short"),
        (&[], "not an index"),
        (b"something else", "not an index"),
        (&flipped, "damaged"),
        (&newer, "of version 99"),
        (&foreign, "of another folder"),
    ] {
        fs::write(&file, bytes).unwrap();
        let (set, note) = open(root.path(), &cache);
        assert!(
            matches!(&note, IndexNote::Stored { replaced: Some(why), .. } if why.starts_with(reason)),
            "{reason}: {note:?}"
        );
        assert_eq!(names(&set), names(&listed));
        assert_eq!(fs::read(&file).unwrap(), good, "{reason}");
    }
    assert_eq!(
        fs::read_dir(&cache.folder).unwrap().count(),
        2,
        "no temporary file is left"
    );
}

#[test]
fn small_sets_and_unwritable_places_are_listed_all_the_same() {
    let (root, place) = (two_classes(3), tempfile::tempdir().unwrap());
    age(root.path(), 5);
    let usual = IndexCache::new(place.path().join("indexes"));
    let (set, note) = open(root.path(), &usual);
    assert_eq!((set.len(), note, usual.folder.exists()), (6, IndexNote::Small, false));
    let blocked = IndexCache {
        folder: write(place.path(), "file", b"").join("indexes"),
        min_images: 1,
    };
    let (set, note) = open(root.path(), &blocked);
    assert!(
        matches!(&note, IndexNote::NotStored { reason } if reason.contains("file/indexes")),
        "{note:?}"
    );
    assert_eq!(set.len(), 6);
}

#[test]
fn wrong_folders_are_the_same_errors_with_a_cache() {
    let place = tempfile::tempdir().unwrap();
    let cache = cache(&place);
    let missing = ImageFolder::open_cached(place.path().join("no"), 3, &cache).unwrap_err();
    assert!(matches!(missing, DataError::MissingFolder { .. }));
    // A set that is removed after it was indexed.
    let root = two_classes(3);
    age(root.path(), 5);
    open(root.path(), &cache);
    let path = root.path().to_owned();
    drop(root);
    assert!(ImageFolder::open_cached(path, 3, &cache).is_err());
}

#[test]
fn one_folder_has_one_index_by_whatever_path() {
    let (root, place) = (two_classes(2), tempfile::tempdir().unwrap());
    let cache = cache(&place);
    age(root.path(), 5);
    let (_, note) = open(root.path(), &cache);
    assert!(matches!(note, IndexNote::Stored { .. }));
    let link = place.path().join("link");
    std::os::unix::fs::symlink(root.path(), &link).unwrap();
    for path in [link, root.path().join("ant/..")] {
        let (set, note) = open(&path, &cache);
        assert!(matches!(note, IndexNote::Used { .. }), "{}", path.display());
        assert_eq!(set.path(0), path.join("ant/000.png"));
    }
}

#[test]
fn a_file_that_vanished_is_named_when_it_is_read() {
    let (root, place) = (two_classes(2), tempfile::tempdir().unwrap());
    let cache = cache(&place);
    age(root.path(), 5);
    let (set, _) = open(root.path(), &cache);
    fs::remove_file(set.path(1)).unwrap();
    let error = set.image(1).unwrap_err();
    assert!(
        matches!(&error, DataError::Unreadable { path, .. } if path.ends_with("ant/001.png")),
        "{error}"
    );
}

#[test]
fn nested_and_flat_sets_and_splits_are_cached_too() {
    let place = tempfile::tempdir().unwrap();
    let cache = cache(&place);
    let nested = folder(&["2021/05/a.png", "2021/06/trip/b.png"]);
    let flat = folder(&["b.png", "a.png"]);
    for root in [&nested, &flat] {
        age(root.path(), 5);
        let (listed, _) = open(root.path(), &cache);
        let (read, note) = open(root.path(), &cache);
        assert!(matches!(note, IndexNote::Used { .. }), "{note:?}");
        assert_eq!((names(&read), read.layout()), (names(&listed), listed.layout()));
    }
    // Folders without images are checked for changes, too.
    write(nested.path(), "2021/06/new.png", b"");
    assert_eq!(open(nested.path(), &cache).1, IndexNote::Unsettled);
    let splits = folder(&["train/ant/0.png", "train/bee/0.png", "val/bee/0.png"]);
    age(splits.path(), 5);
    let options = OpenOptions {
        index_cache: Some(cache),
        ..Default::default()
    };
    Splits::open(splits.path(), &options).unwrap();
    let read = Splits::open(splits.path(), &options).unwrap();
    assert!(read.index.len() == 2 && read.index.iter().all(|note| matches!(note, IndexNote::Used { .. })));
    assert_eq!(read.test.unwrap().label(0), Some(1));
}
