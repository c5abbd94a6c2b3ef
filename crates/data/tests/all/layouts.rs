//! Tests of folders as people have them: which folders are splits and which are classes, what is left out, and what is refused
//! because it is unclear.

use crate::common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use barlow_data::{DataError, DataFormat, FolderLayout, ImageSource, LeftOutReason, OpenOptions, Splits};
use common::{folder, image, write};

fn open(root: &Path) -> Splits {
    let splits = Splits::open(root, &OpenOptions::default()).unwrap_or_else(|error| panic!("{error}"));
    assert!(
        splits.notes.iter().all(|note| !note.contains('\n')),
        "{:?}",
        splits.notes
    );
    splits
}

fn open_with(root: &Path, train: Option<&str>, test: Option<&str>) -> Result<Splits, DataError> {
    let options = OpenOptions {
        train: train.map(Into::into),
        test: test.map(Into::into),
        ..OpenOptions::default()
    };
    Splits::open(root, &options)
}

fn refused(root: &Path) -> String {
    let error = Splits::open(root, &OpenOptions::default()).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

/// Names of the images by their class, `-` without one.
fn by_class(set: &dyn ImageSource) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for index in 0..set.len() {
        let class = set
            .label(index)
            .map_or("-".to_owned(), |label| set.classes()[label].clone());
        found.entry(class).or_default().push(set.name(index));
    }
    found
}

fn counts(set: &dyn ImageSource) -> Vec<(String, usize)> {
    by_class(set)
        .into_iter()
        .map(|(class, names)| (class, names.len()))
        .collect()
}

fn of(expected: &[(&str, usize)]) -> Vec<(String, usize)> {
    expected
        .iter()
        .map(|&(class, count)| (class.to_owned(), count))
        .collect()
}

/// `count` images in each of these folders.
fn filled(folders: &[(&str, usize)]) -> tempfile::TempDir {
    let names: Vec<String> = folders
        .iter()
        .flat_map(|&(folder, count)| (0..count).map(move |number| format!("{folder}/{number:03}.png")))
        .collect();
    folder(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn tiny_imagenet_has_its_classes_and_the_labels_of_its_annotations() {
    let ids = ["n01443537", "n01629819", "n01641577"];
    let dir = tempfile::tempdir().unwrap();
    let png = barlow_augment::encode_png(&image(1)).unwrap();
    for id in ids {
        for number in 0..5 {
            write(dir.path(), &format!("train/{id}/images/{id}_{number}.JPEG"), &png);
        }
        write(dir.path(), &format!("train/{id}/{id}_boxes.txt"), b"x");
    }
    for number in 0..6 {
        write(dir.path(), &format!("val/images/val_{number}.JPEG"), &png);
        write(dir.path(), &format!("test/images/test_{number}.JPEG"), &png);
    }
    let annotations = |class: fn(usize) -> &'static str| {
        let lines = (0..6).map(|number| format!("val_{number}.JPEG\t{}\t0\t32\t44\t62\n", class(number)));
        write(
            dir.path(),
            "val/val_annotations.txt",
            lines.collect::<String>().as_bytes(),
        );
    };
    annotations(|number| ["n01443537", "n01641577"][number % 2]);
    let splits = open(dir.path());
    assert_eq!(counts(&*splits.train), of(&[(ids[0], 5), (ids[1], 5), (ids[2], 5)]));
    let test = splits.test.unwrap();
    assert_eq!(counts(&*test), of(&[(ids[0], 3), (ids[2], 3)]));
    assert_eq!((test.name(1), test.label(1)), ("images/val_1.JPEG".into(), Some(2)));
    assert!(
        splits.notes.iter().any(|note| note.contains("val/val_annotations.txt")),
        "{:?}",
        splits.notes
    );
    let texts = LeftOutReason::OtherFile("txt".into());
    assert_eq!(splits.left_out.count(&texts), 4);
    // Annotations of other classes are no labels of these.
    annotations(|_| "n0");
    let splits = open(dir.path());
    assert_eq!(counts(&*splits.test.unwrap()), of(&[("-", 6)]));
    assert_eq!(splits.train.classes().len(), 3);
}

#[test]
fn a_labelled_val_is_evaluated_on_before_a_test_without_labels() {
    let dir = filled(&[("train/a", 6), ("train/b", 6), ("val/a", 3), ("val/b", 3), ("test", 7)]);
    let splits = open(dir.path());
    assert_eq!(counts(&*splits.test.unwrap()), of(&[("a", 3), ("b", 3)]));
    assert!(
        splits.notes.iter().any(|note| note.contains("test/ has no labels")),
        "{:?}",
        splits.notes
    );
    // One folder of another name is no class, either; and the choice can be made.
    let dir = filled(&[("train/a", 2), ("train/b", 2), ("valid/a", 3), ("test/unknown", 7)]);
    assert_eq!(open(dir.path()).test.unwrap().len(), 3);
    assert_eq!(
        counts(&*open_with(dir.path(), None, Some("test")).unwrap().test.unwrap()),
        of(&[("-", 7)])
    );
    // All labelled: the test images, and the others are named.
    let dir = filled(&[("train/a", 2), ("val/a", 3), ("test/a", 1)]);
    let splits = open(dir.path());
    assert_eq!(splits.test.unwrap().len(), 1);
    assert!(
        splits.notes.iter().any(|note| note.contains("val/ is not used")),
        "{:?}",
        splits.notes
    );
}

#[test]
fn a_split_without_class_folders_is_told_as_such() {
    let dir = filled(&[("train/a", 2), ("train/b", 2), ("val", 3)]);
    let splits = open(dir.path());
    assert_eq!(counts(&*splits.test.unwrap()), of(&[("-", 3)]));
    assert!(
        splits
            .notes
            .iter()
            .any(|note| note.contains("val/ has no class folders")),
        "{:?}",
        splits.notes
    );
    fs::create_dir(dir.path().join("test")).unwrap();
    let splits = open(dir.path());
    assert_eq!(splits.test.unwrap().len(), 3);
    assert!(
        splits.notes.iter().any(|note| note.contains("test/ holds no images")),
        "{:?}",
        splits.notes
    );
}

#[test]
fn a_class_called_like_a_split_is_a_class() {
    let dir = filled(&[("airplane", 4), ("bus", 4), ("train", 4), ("zebra", 4)]);
    let splits = open(dir.path());
    assert_eq!(
        counts(&*splits.train),
        of(&[("airplane", 4), ("bus", 4), ("train", 4), ("zebra", 4)])
    );
    assert!(splits.test.is_none());
    assert!(splits.notes[0].contains("train/ is read as a class") && splits.notes[0].contains("data.train"));
    let dir = filled(&[("cat", 1), ("dog", 1), ("test", 1)]);
    assert_eq!(open(dir.path()).train.classes(), ["cat", "dog", "test"]);
    // Such a class among the classes of a split.
    let dir = filled(&[("train/bus", 1), ("train/train", 2), ("test/bus", 1), ("test/train", 1)]);
    let splits = open(dir.path());
    assert_eq!(counts(&*splits.train), of(&[("bus", 1), ("train", 2)]));
    assert_eq!(counts(&*splits.test.unwrap()), of(&[("bus", 1), ("train", 1)]));
}

#[test]
fn splits_are_known_by_their_usual_names_in_any_capitals() {
    for (train, test) in [
        ("Training", "Testing"),
        ("Train", "Test"),
        ("TRAIN", "VAL"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("training_set", "test_set"),
        ("training_set/training_set", "test_set/test_set"),
        ("train2017", "val2017"),
        ("train", "dev"),
        ("train", "Validation"),
        ("data/train", "data/test"),
        ("archive/Data/train", "archive/Data/valid"),
        ("train-images", "test-images"),
        ("training", "evaluation"),
        ("ILSVRC/Data/CLS-LOC/train", "ILSVRC/Data/CLS-LOC/val"),
    ] {
        let path = |split: &str, class: &str| format!("{split}/{class}");
        let names = [
            path(train, "glioma"),
            path(train, "notumor"),
            path(test, "glioma"),
            path(test, "notumor"),
        ];
        let folders: Vec<(&str, usize)> = names.iter().map(String::as_str).zip([6, 6, 4, 4]).collect();
        let dir = filled(&folders);
        let splits = open(dir.path());
        assert_eq!(counts(&*splits.train), of(&[("glioma", 6), ("notumor", 6)]), "{train}");
        assert_eq!(
            counts(&*splits.test.unwrap()),
            of(&[("glioma", 4), ("notumor", 4)]),
            "{test}"
        );
    }
    for (train, test) in [
        ("cars_train", "cars_test"),
        ("cars_train/cars_train", "cars_test/cars_test"),
        ("train2017", "val2017"),
    ] {
        let dir = filled(&[(train, 6), (test, 4)]);
        let splits = open(dir.path());
        assert_eq!(
            (counts(&*splits.train), splits.layout),
            (of(&[("-", 6)]), Some(FolderLayout::Flat)),
            "{train}"
        );
        assert_eq!(splits.test.unwrap().len(), 4, "{test}");
        assert!(
            splits
                .notes
                .iter()
                .any(|note| note.contains("trained on") && note.contains("evaluated on")),
            "{:?}",
            splits.notes
        );
    }
}

#[test]
fn what_is_unclear_is_refused_with_the_settings_for_each_reading() {
    for (folders, parts) in [
        (
            &[("train", 2), ("extra", 2)][..],
            &["train/", "extra/", "data.train=train", "data.train=."][..],
        ),
        (&[("train/a", 2), ("x", 2), ("y", 2)], &["train/", "data.train=train"]),
        (&[("test/a", 2), ("a", 2), ("b", 2)], &["test/", "data.test=test"]),
        (&[("val/a", 2)], &["val/", "data.train"]),
        (
            &[("trainA", 2), ("trainB", 2), ("testA", 1), ("testB", 1)],
            &["trainA/", "trainB/", "data.train=trainA"],
        ),
        (
            &[("train2014/a", 2), ("train2017/a", 2), ("val2017/a", 1)],
            &["train2014/", "train2017/"],
        ),
        (
            &[("cat/train", 2), ("cat/test", 2), ("dog/train", 2), ("dog/test", 2)],
            &["cat/test", "data.train"],
        ),
    ] {
        let dir = filled(folders);
        let error = refused(dir.path());
        for part in parts {
            assert!(error.contains(part), "{folders:?}: {part} is missing: {error}");
        }
    }
    // As named: a split, or classes.
    let dir = filled(&[("train", 2), ("extra", 3)]);
    let split = open_with(dir.path(), Some("train"), Some("extra")).unwrap();
    assert_eq!((counts(&*split.train), split.test.unwrap().len()), (of(&[("-", 2)]), 3));
    let classes = open_with(dir.path(), Some("."), None).unwrap();
    assert_eq!(counts(&*classes.train), of(&[("extra", 3), ("train", 2)]));
    let missing = open_with(dir.path(), Some("nowhere"), None).unwrap_err();
    assert!(matches!(missing, DataError::MissingFolder { path } if path.ends_with("nowhere")));
}

#[test]
fn a_training_folder_alone_is_trained_on_and_what_lies_beside_it_is_named() {
    let dir = filled(&[("train/a", 2), ("train/b", 1), ("holdout/a", 2)]);
    let splits = open(dir.path());
    assert_eq!((splits.train.len(), splits.test.is_none()), (3, true));
    assert_eq!(splits.left_out.count(&LeftOutReason::OtherFolder), 1);
    assert!(splits.left_out.to_string().contains("holdout"), "{}", splits.left_out);
    let dir = filled(&[("train/a", 2), ("test/a", 1), ("unlabeled", 5)]);
    assert_eq!(open(dir.path()).left_out.count(&LeftOutReason::OtherFolder), 1);
}

#[test]
fn folders_below_a_class_folder_belong_to_the_class() {
    let dir = folder(&[
        "cat/0.png",
        "cat/sub_folder/0.jpg",
        "cat/sub_folder/deeper/1.jpg",
        "cat-2/0.png",
        "dog/1.png",
        "bee/small/0.png",
    ]);
    let splits = open(dir.path());
    assert_eq!(splits.train.classes(), ["bee", "cat", "cat-2", "dog"]);
    assert_eq!(
        by_class(&*splits.train)["cat"],
        ["cat/0.png", "cat/sub_folder/0.jpg", "cat/sub_folder/deeper/1.jpg"]
    );
    assert_eq!(
        splits.train.image(0).unwrap().pixels(),
        image(5).pixels(),
        "bee comes first"
    );
    // In a split as in torchvision's ImageFolder, whatever the depth.
    let dir = filled(&[
        ("train/animal/cat", 2),
        ("train/animal/dog", 1),
        ("train/car/red", 2),
        ("test/car/red", 1),
    ]);
    let splits = open(dir.path());
    assert_eq!(counts(&*splits.train), of(&[("animal", 3), ("car", 2)]));
    assert_eq!(counts(&*splits.test.unwrap()), of(&[("car", 1)]));
}

#[test]
fn yolo_and_roboflow_exports_give_their_images_without_labels() {
    for order in ["{split}/{part}", "{part}/{split}"] {
        let dir = tempfile::tempdir().unwrap();
        let png = barlow_augment::encode_png(&image(1)).unwrap();
        for (split, count) in [("train", 6), ("valid", 3), ("test", 2)] {
            for number in 0..count {
                let at = |part: &str| order.replace("{split}", split).replace("{part}", part);
                write(dir.path(), &format!("{}/{number}.jpg", at("images")), &png);
                write(
                    dir.path(),
                    &format!("{}/{number}.txt", at("labels")),
                    b"0 0.5 0.5 0.2 0.2\n",
                );
            }
        }
        write(dir.path(), "data.yaml", b"nc: 1\n");
        write(dir.path(), "README.roboflow.txt", b"");
        let splits = open(dir.path());
        assert_eq!(
            (splits.format, splits.layout),
            (DataFormat::Folder, Some(FolderLayout::Flat)),
            "{order}"
        );
        assert_eq!(counts(&*splits.train), of(&[("-", 6)]), "{order}");
        assert_eq!(splits.test.unwrap().len(), 2, "{order}");
    }
    // Masks are pictures, too, and no class.
    let dir = filled(&[
        ("train/images", 3),
        ("train/masks", 3),
        ("val/images", 1),
        ("val/masks", 1),
    ]);
    let splits = open(dir.path());
    assert_eq!(
        (counts(&*splits.train), splits.test.unwrap().len()),
        (of(&[("-", 3)]), 1)
    );
    assert!(splits.left_out.to_string().contains("masks"), "{}", splits.left_out);
}

#[test]
fn class_folders_in_the_only_folder_keep_their_labels() {
    for wrapper in [
        "images",
        "PetImages",
        "archive/PetImages",
        "101_ObjectCategories",
        "Set/Images",
        "a/b/c",
    ] {
        let dir = filled(&[(&format!("{wrapper}/Cat"), 2), (&format!("{wrapper}/Dog"), 1)]);
        write(dir.path(), "__MACOSX/._x.jpg", b"x");
        write(dir.path(), "Annotations/Cat/0.mat", b"x");
        write(dir.path(), "classes.txt", b"1 Cat\n2 Dog\n");
        let splits = open(dir.path());
        assert_eq!(counts(&*splits.train), of(&[("Cat", 2), ("Dog", 1)]), "{wrapper}");
        assert!(
            splits.notes.iter().any(|note| note.contains(wrapper)),
            "{:?}",
            splits.notes
        );
    }
}

#[test]
fn photos_by_month_have_no_labels_and_can_have_them() {
    let dir = filled(&[("2021/05", 2), ("2021/06", 1), ("2022/01", 3)]);
    let splits = open(dir.path());
    assert_eq!(
        (splits.layout, splits.train.classes().len()),
        (Some(FolderLayout::Nested), 0)
    );
    assert!(splits.notes[0].contains("data.train=."), "{:?}", splits.notes);
    let classes = open_with(dir.path(), Some("."), None).unwrap();
    assert_eq!(counts(&*classes.train), of(&[("2021", 3), ("2022", 3)]));
}

#[test]
fn what_computers_leave_behind_is_no_class() {
    let dir = filled(&[("cat", 2), ("dog", 2)]);
    for name in [
        "__MACOSX/cat/._000.png",
        "@eaDir/cat/SYNOPHOTO_THUMB.jpg",
        "lost+found/x.png",
        "cat/._000.png",
        "cat/.ipynb_checkpoints/000-checkpoint.png",
        "cat/@eaDir/000.png/thumb.jpg",
        "cat/Thumbs.db",
        ".DS_Store",
        ".ipynb_checkpoints/x.png",
        "$RECYCLE.BIN/x.jpg",
        "desktop.ini",
        "notes.txt",
        "runs/smoke-20260101-000000/config.toml",
        "runs/smoke-20260101-000000/checkpoints/step-1.safetensors",
        "runs/smoke-20260101-000000/views/0-image.png",
        "runs/killed/.lock",
        "mine/config.toml",
        "mine/views/0-image.png",
    ] {
        write(dir.path(), name, b"x");
    }
    fs::create_dir_all(dir.path().join("runs/killed/checkpoints")).unwrap();
    fs::create_dir_all(dir.path().join("mine/checkpoints")).unwrap();
    let splits = open(dir.path());
    assert_eq!(counts(&*splits.train), of(&[("cat", 2), ("dog", 2)]));
    assert_eq!(splits.left_out.count(&LeftOutReason::Run), 3);
    assert_eq!(
        splits.left_out.count(&LeftOutReason::Leftover),
        11,
        "{}",
        splits.left_out
    );
    assert_eq!(splits.left_out.count(&LeftOutReason::OtherFile("txt".into())), 1);
    assert!(!splits.left_out.is_worth_a_warning());
    // Images at the top, and a training folder without class folders.
    for images in ["", "train/"] {
        let names: Vec<String> = (0..4).map(|number| format!("{images}{number}.png")).collect();
        let dir = folder(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for name in ["config.toml", "checkpoints/x", "views/0-image.png"] {
            write(dir.path(), &format!("runs/first/{name}"), b"x");
        }
        let splits = open(dir.path());
        assert_eq!(
            (counts(&*splits.train), splits.layout),
            (of(&[("-", 4)]), Some(FolderLayout::Flat)),
            "{images}"
        );
    }
}

#[test]
fn everything_left_out_is_counted_by_reason() {
    let dir = filled(&[("train/cat", 2), ("train/dog", 2), ("test/cat", 1)]);
    for name in ["a.heic", "b.HEIC", "c.avif", "list.xml", "README"] {
        write(dir.path(), &format!("train/cat/{name}"), b"x");
    }
    write(dir.path(), "test/cat/d.heic", b"x");
    write(dir.path(), "stray.png", b"x");
    let splits = open(dir.path());
    let other = |extension: &str| splits.left_out.count(&LeftOutReason::OtherFormat(extension.into()));
    assert_eq!((other("heic"), other("avif")), (3, 1));
    assert_eq!(splits.left_out.count(&LeftOutReason::OtherFile("xml".into())), 1);
    assert_eq!(splits.left_out.count(&LeftOutReason::OtherFile(String::new())), 1);
    assert_eq!(splits.left_out.count(&LeftOutReason::LooseImage), 1);
    assert!(splits.left_out.is_worth_a_warning());
    let line = splits.left_out.to_string();
    assert!(
        line.contains("3 files .heic") && line.contains("test/cat/d.heic") && !line.contains('\n'),
        "{line}"
    );
    // A class of nothing but other formats would be lost without a word.
    write(dir.path(), "train/emu/a.heic", b"x");
    let error = refused(dir.path());
    assert!(error.contains("emu") && error.contains("1 file .heic"), "{error}");
    // A folder of other files among the classes is none.
    fs::remove_dir_all(dir.path().join("train/emu")).unwrap();
    write(dir.path(), "train/labels/a.txt", b"x");
    let splits = open(dir.path());
    assert_eq!(
        (
            splits.train.classes().len(),
            splits.left_out.count(&LeftOutReason::NoImages)
        ),
        (2, 1)
    );
}

#[test]
fn both_forms_of_a_name_are_one_class_in_one_order() {
    // As a Mac and as other systems write it.
    let (apart, composed) = ("cafe\u{301}", "caf\u{e9}");
    let dir = filled(&[
        (&format!("train/{apart}"), 2),
        ("train/cafz", 1),
        ("train/cafe", 1),
        (&format!("test/{composed}"), 1),
    ]);
    let splits = open(dir.path());
    assert_eq!(splits.train.classes(), ["cafe", "cafz", composed]);
    assert_eq!(counts(&*splits.train), of(&[("cafe", 1), ("cafz", 1), (composed, 2)]));
    let test = splits.test.unwrap();
    assert_eq!(test.label(0), Some(2));
    // The same set on the other system has the same names in the same order.
    let other = filled(&[(&format!("train/{composed}"), 2), ("train/cafz", 1), ("train/cafe", 1)]);
    let names = |set: &dyn ImageSource| (0..set.len()).map(|index| set.name(index)).collect::<Vec<_>>();
    assert_eq!(names(&*open(other.path()).train), names(&*splits.train));
    // Two folders in one set.
    let both = filled(&[(apart, 1), (composed, 1), ("x", 1)]);
    assert_eq!(counts(&*open(both.path()).train), of(&[(composed, 2), ("x", 1)]));
}

#[test]
fn what_torchvision_downloads_is_found_or_named() {
    let dir = tempfile::tempdir().unwrap();
    for (prefix, images) in [("train", 3_u8), ("t10k", 2)] {
        let pixels = [
            &[0, 0, 8, 3, 0, 0, 0, images, 0, 0, 0, 2, 0, 0, 0, 2],
            &vec![9; 4 * usize::from(images)][..],
        ]
        .concat();
        write(dir.path(), &format!("MNIST/raw/{prefix}-images-idx3-ubyte"), &pixels);
        let labels = [&[0, 0, 8, 1, 0, 0, 0, images], &vec![1; usize::from(images)][..]].concat();
        write(dir.path(), &format!("MNIST/raw/{prefix}-labels-idx1-ubyte"), &labels);
    }
    for below in ["", "MNIST", "MNIST/raw"] {
        let splits = open(&dir.path().join(below));
        let found = (splits.format, splits.train.len(), splits.test.map(|test| test.len()));
        assert_eq!(found, (DataFormat::Idx, 3, Some(2)), "{below}");
    }
    write(dir.path(), "FashionMNIST/raw/train-images-idx3-ubyte.gz", b"x");
    let error = refused(dir.path());
    assert!(error.contains("FashionMNIST") && error.contains("MNIST/raw"), "{error}");

    let python = tempfile::tempdir().unwrap();
    for name in ["data_batch_1", "data_batch_2", "test_batch", "batches.meta"] {
        write(python.path(), &format!("cifar-10-batches-py/{name}"), b"\x80\x02}.");
    }
    for name in ["train", "test", "meta"] {
        write(
            python.path(),
            &format!("hundred/cifar-100-python/{name}"),
            b"\x80\x02}.",
        );
    }
    for below in ["", "cifar-10-batches-py", "hundred", "hundred/cifar-100-python"] {
        let error = refused(&python.path().join(below));
        assert!(
            error.contains("Python version of CIFAR") && error.contains("binary version"),
            "{below}: {error}"
        );
    }
}

#[test]
fn lists_and_folders_in_one_folder_say_which_is_taken() {
    // Class folders in the only folder, and lists of them whose paths have no extensions.
    let dir = folder(&["images/pie/1.jpg", "images/pie/2.jpg", "images/waffles/1.jpg"]);
    write(dir.path(), "meta/train.txt", b"pie/1\nwaffles/1\n");
    write(dir.path(), "meta/test.txt", b"pie/2\n");
    let splits = open(dir.path());
    assert_eq!(
        (splits.format, counts(&*splits.train)),
        (DataFormat::List, of(&[("pie", 1), ("waffles", 1)]))
    );
    assert!(
        splits.notes[0].contains("meta/train.txt and meta/test.txt are taken"),
        "{:?}",
        splits.notes
    );
    let options = OpenOptions {
        format: DataFormat::Folder,
        ..OpenOptions::default()
    };
    let splits = Splits::open(dir.path(), &options).unwrap();
    assert_eq!(counts(&*splits.train), of(&[("pie", 2), ("waffles", 1)]));
    assert!(
        splits.notes.iter().any(|note| note.contains("data.format=list")),
        "{:?}",
        splits.notes
    );
    // Splits without class folders: the labels are in the table, as Kaggle has it.
    let dir = filled(&[("train", 3), ("test", 2)]);
    write(dir.path(), "Train.csv", b"id,breed\n000,pug\n001,beagle\n002,pug\n");
    write(dir.path(), "sample_submission.csv", b"id,pug,beagle\n000,0.5,0.5\n");
    let splits = open(dir.path());
    assert_eq!(
        (splits.format, counts(&*splits.train)),
        (DataFormat::List, of(&[("beagle", 1), ("pug", 2)]))
    );
    assert!(splits.notes[0].contains("Train.csv"), "{:?}", splits.notes);
    // Images without labels, next to a table of another name.
    let dir = filled(&[("images", 2)]);
    write(dir.path(), "labels.csv", b"file,kind\n000.png,cat\n001.png,dog\n");
    let splits = open(dir.path());
    assert_eq!(counts(&*splits.train), of(&[("-", 2)]));
    assert!(
        splits.notes.iter().any(|note| note.contains("labels.csv names images")),
        "{:?}",
        splits.notes
    );
    assert_eq!(
        counts(&*open(&dir.path().join("labels.csv")).train),
        of(&[("cat", 1), ("dog", 1)])
    );
    // Splits that are folders of classes come before lists.
    let dir = filled(&[("train/a", 2), ("train/b", 2), ("val", 2)]);
    write(dir.path(), "meta/train.txt", b"a/000.png 0\nb/000.png 1\n");
    write(dir.path(), "meta/val.txt", b"000.png 1\n001.png 0\n");
    let splits = open(dir.path());
    assert_eq!((splits.format, splits.train.len()), (DataFormat::Folder, 4));
    assert!(
        splits.notes.iter().any(|note| note.contains("data.format=list")),
        "{:?}",
        splits.notes
    );
    let options = OpenOptions {
        format: DataFormat::List,
        ..OpenOptions::default()
    };
    let splits = Splits::open(dir.path(), &options).unwrap();
    assert_eq!(counts(&*splits.train), of(&[("0", 1), ("1", 1)]));
    assert_eq!(by_class(&*splits.test.unwrap())["1"], ["../val/000.png"]);
}

#[test]
fn named_splits_are_refused_where_the_format_has_its_own() {
    let dir = folder(&["JPEGImages/a.jpg"]);
    write(dir.path(), "Annotations/a.xml", b"<annotation></annotation>");
    let error = open_with(dir.path(), Some("JPEGImages"), None).unwrap_err();
    assert!(
        matches!(error, DataError::NamedSplits { .. }) && error.to_string().contains("voc"),
        "{error}"
    );
}

#[test]
#[cfg(unix)]
fn links_to_folders_below_a_class_are_counted_and_not_followed() {
    let dir = filled(&[("cat", 1), ("dog", 1)]);
    for link in ["cat/all", "cat/loop"] {
        std::os::unix::fs::symlink(dir.path(), dir.path().join(link)).unwrap();
    }
    let splits = open(dir.path());
    assert_eq!(
        (splits.train.len(), splits.left_out.count(&LeftOutReason::FolderLink)),
        (2, 2)
    );
}

#[test]
#[cfg(unix)]
fn broken_links_empty_files_and_files_of_others_are_skipped_like_bad_images() {
    use barlow_data::{BadImages, DecodedSet, LoaderConfig, ViewLoader};
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = filled(&[("cat", 4), ("dog", 4)]);
    write(dir.path(), "cat/empty.jpg", b"");
    symlink("/nowhere/at/all.jpg", dir.path().join("cat/gone.jpg")).unwrap();
    symlink("circle.jpg", dir.path().join("dog/circle.jpg")).unwrap();
    let closed = write(
        dir.path(),
        "dog/closed.png",
        &barlow_augment::encode_png(&image(9)).unwrap(),
    );
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    // A privileged user may read it all the same.
    let bad = 3 + usize::from(fs::read(&closed).is_err());
    let source = open(dir.path()).train;
    let error = DecodedSet::load(&*source, BadImages::Error, 1)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("cat/empty.jpg") && error.contains("data.bad_images"),
        "{error}"
    );
    let set = DecodedSet::load(&*source, BadImages::Skip, 2).unwrap();
    assert_eq!((set.len(), set.skipped().count), (12 - bad, bad));
    let config = LoaderConfig {
        batch_size: 6,
        bad_images: BadImages::Skip,
        ..LoaderConfig::default()
    };
    let loader = ViewLoader::new(source, common::views(), config).unwrap();
    for epoch in 0..3 {
        assert!(loader.epoch(epoch, 0).all(|batch| batch.is_ok()));
    }
    assert_eq!(loader.skipped().count, bad);
}
