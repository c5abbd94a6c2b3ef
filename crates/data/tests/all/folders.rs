//! Tests of image folders and splits, and of the one-line error for each way they can be wrong.

use crate::common;

use std::fs;
use std::path::Path;

use barlow_data::{DataError, ImageFolder, ImageSource, OpenOptions, Splits, Subset};
use burn_dataset::Dataset;
use common::{add_hostile_files, folder, image, two_classes, write};

fn names(folder: &ImageFolder) -> Vec<String> {
    (0..folder.len()).map(|index| folder.name(index)).collect()
}

fn open_error(path: impl AsRef<Path>) -> DataError {
    let error = ImageFolder::open(path, 3).unwrap_err();
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

#[test]
fn classes_and_files_come_sorted_and_hidden_or_other_files_are_ignored() {
    let dir = folder(&[
        "bee/z.PNG",
        "bee/a.png",
        "ant/10.Jpeg",
        "ant/9.jpg",
        "ant/.hidden.png",
        ".cache/x.png",
    ]);
    write(dir.path(), "README.md", b"text");
    write(dir.path(), "ant/labels.txt", b"text");
    fs::create_dir(dir.path().join("ant/folder.png")).unwrap();
    let set = ImageFolder::open(dir.path(), 3).unwrap();
    assert_eq!(set.classes(), ["ant", "bee"]);
    assert_eq!(names(&set), ["ant/10.Jpeg", "ant/9.jpg", "bee/a.png", "bee/z.PNG"]);
    assert_eq!(
        (0..4).map(|i| set.label(i)).collect::<Vec<_>>(),
        [Some(0), Some(0), Some(1), Some(1)]
    );
    assert_eq!(set.path(2), dir.path().join("bee/a.png"));
}

#[test]
fn a_flat_folder_has_no_labels_and_one_class_is_a_set() {
    let flat = folder(&["b.png", "a.png"]);
    let set = ImageFolder::open(flat.path(), 3).unwrap();
    assert!(set.classes().is_empty());
    assert_eq!(
        (names(&set), set.label(1)),
        (vec!["a.png".to_owned(), "b.png".to_owned()], None)
    );
    let one = folder(&["only/a.png"]);
    assert_eq!(ImageFolder::open(one.path(), 3).unwrap().classes(), ["only"]);
}

#[test]
fn every_wrong_folder_is_named_in_one_line() {
    let dir = two_classes(1);
    let missing = dir.path().join("nowhere");
    assert!(matches!(open_error(&missing), DataError::MissingFolder { path } if path == missing));
    let file = write(dir.path(), "file.txt", b"");
    assert!(matches!(open_error(&file), DataError::NotAFolder { path } if path == file));
    let empty_class = dir.path().join("cow");
    fs::create_dir(&empty_class).unwrap();
    assert!(matches!(open_error(dir.path()), DataError::EmptyClass { path, .. } if path == empty_class));
    fs::remove_dir(&empty_class).unwrap();
    assert!(ImageFolder::open(dir.path(), 3).is_ok());
    write(dir.path(), "stray.png", b"");
    let error = open_error(dir.path());
    assert!(matches!(&error, DataError::MixedFolder { image, folder, .. } if image == "stray.png" && folder == "ant"));
    let bare = tempfile::tempdir().unwrap();
    assert!(matches!(open_error(bare.path()), DataError::NoImages { .. }));
    fs::create_dir(bare.path().join("class")).unwrap();
    assert!(matches!(open_error(bare.path()), DataError::NoImages { .. }));
}

#[test]
fn burns_dataset_hands_out_images_and_errors() {
    let dir = two_classes(2);
    let set = ImageFolder::open(dir.path(), 3).unwrap();
    assert_eq!(Dataset::len(&set), 4);
    let item = set.get(3).unwrap().unwrap();
    assert_eq!(
        (item.image.pixels(), item.label, item.index),
        (image(3).pixels(), Some(1), 3)
    );
    assert!(set.get(4).is_none());
    let hostile = add_hostile_files(dir.path());
    let set = ImageFolder::open(dir.path(), 3).unwrap();
    let bad: Vec<DataError> = set.iter().filter_map(Result::err).collect();
    assert_eq!(bad.len(), 3);
    for path in hostile {
        let error = bad.iter().find(|error| error.path() == Some(&path)).unwrap();
        assert!(
            error.is_bad_image() && error.to_string().contains("data.bad_images"),
            "{error}"
        );
    }
}

#[test]
#[cfg(unix)]
fn a_broken_link_is_reported_and_a_pipe_is_not_read() {
    let dir = two_classes(1);
    std::os::unix::fs::symlink("/nowhere/at/all.png", dir.path().join("ant/link.png")).unwrap();
    let pipe = dir.path().join("bee/pipe.png");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let set = ImageFolder::open(dir.path(), 3).unwrap();
    assert_eq!(names(&set), ["ant/000.png", "ant/link.png", "bee/000.png"]);
    let error = set.image(1).unwrap_err();
    assert!(
        matches!(error, DataError::Unreadable { .. }) && error.is_bad_image(),
        "{error}"
    );
}

#[test]
#[cfg(unix)]
fn names_that_are_not_unicode_lead_to_their_files() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    let class = dir.path().join(std::ffi::OsStr::from_bytes(b"\xE4nt"));
    let file = class.join(std::ffi::OsStr::from_bytes(b"\xFF.png"));
    fs::create_dir(&class).unwrap();
    fs::write(&file, barlow_augment::encode_png(&image(5)).unwrap()).unwrap();
    let set = ImageFolder::open(dir.path(), 3).unwrap();
    assert_eq!((set.path(0), set.image(0).unwrap().pixels()), (file, image(5).pixels()));
    assert_eq!(names(&set), ["\u{FFFD}nt/\u{FFFD}.png"]);
}

#[test]
fn thousands_of_classes_come_in_the_same_order_however_they_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for class in 0..300 {
        for file in (0..3).rev() {
            let name = format!("{class}/{file}.png");
            write(dir.path(), &name, b"");
            expected.push(name);
        }
    }
    expected.sort();
    for threads in [1, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let set = pool.install(|| ImageFolder::open(dir.path(), 3)).unwrap();
        assert_eq!(names(&set), expected, "{threads} threads");
        let label = |class: &str| set.classes().iter().position(|known| known == class);
        for (index, name) in expected.iter().enumerate() {
            assert_eq!(set.label(index), label(name.split('/').next().unwrap()), "{name}");
        }
    }
}

#[test]
fn splits_are_found_and_share_the_training_classes() {
    let dir = folder(&[
        "train/ant/0.png",
        "train/bee/0.png",
        "train/cow/0.png",
        "val/cow/0.png",
        "val/ant/0.png",
    ]);
    let splits = Splits::open(dir.path(), &OpenOptions::default()).unwrap();
    let test = splits.test.unwrap();
    assert_eq!((splits.train.len(), test.len()), (3, 2));
    assert_eq!(test.classes(), ["ant", "bee", "cow"]);
    // "cow" is the second class of `val` and the third of `train`.
    assert_eq!((test.label(0), test.label(1)), (Some(0), Some(2)));
    // A labelled `val` takes precedence over a `test` without labels, and a labelled `test` over both.
    write(dir.path(), "test/x.png", b"");
    let splits = Splits::open(dir.path(), &OpenOptions::default()).unwrap();
    assert!(
        splits.notes.iter().any(|note| note.contains("test/ has no labels")),
        "{:?}",
        splits.notes
    );
    assert_eq!(splits.test.unwrap().len(), 2);
    fs::remove_dir_all(dir.path().join("val")).unwrap();
    let splits = Splits::open(dir.path(), &OpenOptions::default()).unwrap();
    assert!(
        splits
            .notes
            .iter()
            .any(|note| note.contains("test/ has no class folders")),
        "{:?}",
        splits.notes
    );
    let test = splits.test.unwrap();
    assert_eq!((test.name(0), test.label(0)), ("x.png".to_owned(), None));
}

#[test]
fn held_out_images_may_have_any_of_the_usual_names() {
    for name in ["test", "val", "valid", "validation"] {
        let dir = folder(&["train/ant/0.png", &format!("{name}/ant/0.png")]);
        let splits = Splits::open(dir.path(), &OpenOptions::default()).unwrap();
        assert_eq!(splits.test.unwrap().len(), 1, "{name}");
    }
    let dir = folder(&["train/ant/0.png", "holdout/ant/0.png"]);
    assert!(
        Splits::open(dir.path(), &OpenOptions::default())
            .unwrap()
            .test
            .is_none()
    );
}

#[test]
fn a_folder_without_train_is_the_training_set() {
    let dir = two_classes(2);
    let splits = Splits::open(dir.path(), &OpenOptions::default()).unwrap();
    assert_eq!(splits.train.len(), 4);
    assert!(splits.test.is_none());
    assert!(matches!(
        Splits::open(dir.path().join("no"), &OpenOptions::default()),
        Err(DataError::MissingFolder { .. })
    ));
}

#[test]
fn a_test_class_without_training_images_is_refused() {
    let dir = folder(&["train/ant/0.png", "train/bee/0.png", "test/ant/0.png", "test/dog/0.png"]);
    let error = Splits::open(dir.path(), &OpenOptions::default()).unwrap_err();
    assert!(matches!(&error, DataError::UnknownClass { class, .. } if class == "dog"));
    assert!(error.to_string().contains("(ant, bee)"), "{error}");
}

#[test]
fn a_subset_keeps_labels_names_and_pixels() {
    let dir = two_classes(2);
    let subset = Subset::new(common::source(&dir), vec![3, 0]);
    assert_eq!(
        (
            ImageSource::len(&subset),
            subset.name(0),
            subset.label(0),
            subset.label(1)
        ),
        (2, "bee/001.png".into(), Some(1), Some(0))
    );
    assert_eq!(subset.image(0).unwrap().pixels(), image(3).pixels());
}

#[test]
#[should_panic(expected = "index 4 of a subset is outside its set of 4 images")]
fn a_subset_of_images_that_are_not_there_panics() {
    let dir = two_classes(2);
    let _ = Subset::new(common::source(&dir), vec![0, 4]);
}
