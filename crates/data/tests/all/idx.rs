//! Tests of IDX sets, plain and gzipped, grey and of other channels, intact and damaged.

use crate::common;
use crate::idx_files;

use std::fs;
use std::path::Path;

use barlow_augment::Image8;
use barlow_data::{DataError, IdxFault, IdxSet, ImageSource, SetError, Split};
use burn_dataset::Dataset;
use common::write;
use idx_files::{gzip, idx};
use tempfile::TempDir;

/// `count` images of 3 columns and 2 rows, every byte different.
fn images(count: u32) -> Vec<u8> {
    idx(
        8,
        &[count, 2, 3],
        &(0..6 * count as usize).map(|at| at as u8).collect::<Vec<_>>(),
    )
}

/// Four training images with labels 0, 2, 1, 2 and two test images with labels 1, 0.
fn mnist() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "train-images-idx3-ubyte", &images(4));
    write(dir.path(), "train-labels-idx1-ubyte", &idx(8, &[4], &[0, 2, 1, 2]));
    write(dir.path(), "t10k-images-idx3-ubyte", &images(2));
    write(dir.path(), "t10k-labels-idx1-ubyte", &idx(8, &[2], &[1, 0]));
    dir
}

fn error(root: &Path, split: Split) -> SetError {
    match IdxSet::open(root, split, 1).err().unwrap() {
        DataError::Set(error) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            error
        }
        other => panic!("{other}"),
    }
}

fn fault(root: &Path, file: &str, bytes: &[u8], split: Split) -> IdxFault {
    write(root, file, bytes);
    match error(root, split) {
        SetError::Idx { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn grey_images_and_labels_are_read_and_classes_are_numbers() {
    let dir = mnist();
    let (train, test) = IdxSet::open_splits(dir.path(), 1).unwrap();
    let test = test.unwrap();
    assert_eq!(
        (train.len(), train.classes(), train.channels()),
        (4, &["0", "1", "2"].map(String::from)[..], 1)
    );
    assert_eq!(
        (train.label(1), train.label(2), test.label(0)),
        (Some(2), Some(1), Some(1))
    );
    // The test split has no image of class 2, but has the class.
    assert_eq!((test.len(), test.classes()), (2, train.classes()));
    let image = train.image(3).unwrap();
    assert_eq!(
        (image.width(), image.height(), image.pixels()),
        (3, 2, &[18, 19, 20, 21, 22, 23][..])
    );
    assert_eq!((train.name(3), test.name(1)), ("train#3".into(), "test#1".into()));
    let rgb = IdxSet::open(dir.path(), Split::Train, 3).unwrap().image(0).unwrap();
    assert!(matches!(&*rgb, Image8::Rgb(rgb) if rgb.pixel(1, 1) == [4, 4, 4]));
    assert_eq!(train.get(2).unwrap().unwrap().label, Some(1));
    assert!(train.get(4).is_none());
}

#[test]
fn gzipped_and_dotted_names_and_wide_labels_are_accepted() {
    let plain = mnist();
    let dir = tempfile::tempdir().unwrap();
    assert!(!IdxSet::is_at(dir.path()));
    write(dir.path(), "train-images.idx3-ubyte.gz", &gzip(&images(4)));
    // Browsers unpack and keep the name: the bytes decide.
    write(dir.path(), "train-labels-idx1-ubyte.gz", &idx(8, &[4], &[0, 2, 1, 2]));
    write(dir.path(), "t10k-images.idx3-ubyte", &images(2));
    write(
        dir.path(),
        "t10k-labels.idx1-ubyte",
        &gzip(&idx(0x0C, &[2], &[0, 0, 0, 1, 0, 0, 0, 0])),
    );
    assert!(IdxSet::is_at(dir.path()));
    for split in [Split::Train, Split::Test] {
        let [expected, set] = [&plain, &dir].map(|dir| IdxSet::open(dir.path(), split, 1).unwrap());
        assert_eq!(set.len(), expected.len());
        for index in 0..set.len() {
            assert_eq!(set.image(index).unwrap(), expected.image(index).unwrap());
            assert_eq!(set.label(index), expected.label(index));
        }
    }
}

#[test]
fn a_fourth_dimension_is_channels() {
    let dir = mnist();
    fs::remove_file(dir.path().join("train-images-idx3-ubyte")).unwrap();
    let data: Vec<u8> = (0..4 * 2 * 3 * 5).map(|at| at as u8).collect();
    write(dir.path(), "train-images-idx4-ubyte", &idx(8, &[4, 2, 3, 5], &data));
    let set = IdxSet::open(dir.path(), Split::Train, 5).unwrap();
    let image = set.image(1).unwrap();
    assert_eq!((image.channels(), image.width(), image.height()), (5, 3, 2));
    // Channel 2 of image 1: every fifth byte from 30 + 2 on.
    assert!(matches!(&*image, Image8::Planar(image) if image.plane(2) == [32, 37, 42, 47, 52, 57]));
    let error = IdxSet::open(dir.path(), Split::Train, 3).err().unwrap().to_string();
    assert!(
        error.contains("train-images-idx4-ubyte") && error.contains("model.in_channels"),
        "{error}"
    );
    write(dir.path(), "train-images-idx4-ubyte", &idx(8, &[4, 2, 5, 3], &data));
    let rgb = IdxSet::open(dir.path(), Split::Train, 3).unwrap().image(1).unwrap();
    assert!(matches!(&*rgb, Image8::Rgb(rgb) if rgb.pixel(4, 1) == [57, 58, 59]));
}

#[test]
fn missing_parts_are_named() {
    for missing in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"] {
        let dir = mnist();
        fs::remove_file(dir.path().join(missing)).unwrap();
        let error = error(dir.path(), Split::Train);
        assert!(
            matches!(&error, SetError::MissingPart { file, .. } if file.starts_with(missing)),
            "{error}"
        );
    }
    let dir = mnist();
    fs::remove_file(dir.path().join("t10k-images-idx3-ubyte")).unwrap();
    // Half a test split is an error; without any of its files there is no test split.
    assert!(IdxSet::open_splits(dir.path(), 1).is_err());
    fs::remove_file(dir.path().join("t10k-labels-idx1-ubyte")).unwrap();
    assert!(IdxSet::open_splits(dir.path(), 1).unwrap().1.is_none());
    assert!(matches!(
        IdxSet::open(dir.path().join("no"), Split::Train, 1),
        Err(DataError::MissingFolder { .. })
    ));
}

#[test]
fn arrays_that_do_not_go_together_are_refused() {
    let (train, labels) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    let dir = mnist();
    let in_train = |file: &str, bytes: &[u8]| {
        let found = fault(dir.path(), file, bytes, Split::Train);
        write(dir.path(), train, &images(4));
        write(dir.path(), labels, &idx(8, &[4], &[0, 2, 1, 2]));
        found
    };
    assert_eq!(
        in_train(labels, &idx(8, &[3], &[0, 1, 2])),
        IdxFault::Count { labels: 3, images: 4 }
    );
    assert_eq!(
        in_train(labels, &images(4)),
        IdxFault::NotLabels { dims: vec![4, 2, 3] }
    );
    let negative = idx(
        0x0C,
        &[4],
        &[0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0],
    );
    assert!(matches!(
        in_train(labels, &negative),
        IdxFault::Label {
            index: 1,
            label: -1,
            ..
        }
    ));
    let wide = idx(0x0C, &[4], &[0, 0, 0, 0, 0x7F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(matches!(in_train(labels, &wide), IdxFault::Label { index: 1, .. }));
    for dims in [&[4][..], &[4, 6], &[0, 2, 3], &[4, 0, 3], &[4, 2, 3, 0]] {
        let bytes = idx(8, dims, &vec![0; dims.iter().product::<u32>() as usize]);
        assert!(
            matches!(in_train(train, &bytes), IdxFault::NotImages { .. }),
            "{dims:?}"
        );
    }
    assert!(matches!(
        in_train(train, &idx(8, &[1, 1, 16_385], &[0; 16_385])),
        IdxFault::NotImages { .. }
    ));
    assert!(matches!(
        in_train(train, &idx(0x0C, &[4, 1, 1], &[0; 16])),
        IdxFault::NotImages { .. }
    ));
    assert!(matches!(in_train(train, &images(4)[..30]), IdxFault::Cut { .. }));
    // A test label that does not occur in training.
    let test = fault(
        dir.path(),
        "t10k-labels-idx1-ubyte",
        &idx(8, &[2], &[0, 3]),
        Split::Test,
    );
    assert_eq!(
        test,
        IdxFault::Label {
            index: 1,
            label: 3,
            classes: 3
        }
    );
}
