//! Tests of CIFAR folders, made record by record, intact and damaged.

use crate::common;

use std::fs;
use std::path::Path;

use barlow_data::{CifarFault, CifarKind, CifarSet, DataError, ImageSource, SetError, Split};
use burn_dataset::Dataset;
use common::write;
use tempfile::TempDir;

/// The bytes of a record: labels, then planes whose byte at `(channel, row, column)` encodes its position.
fn record(labels: &[u8], seed: usize) -> Vec<u8> {
    let planes = (0..3).flat_map(|c| (0..32).flat_map(move |y| (0..32).map(move |x| pixel(seed, c, x, y))));
    labels.iter().copied().chain(planes).collect()
}

fn pixel(seed: usize, channel: usize, x: usize, y: usize) -> u8 {
    (seed * 31 + channel * 100 + y * 7 + x) as u8
}

/// CIFAR-10 with three records in each training file and two in the test file, below `root`.
fn write_cifar10(root: &Path) {
    for file in 0..5_usize {
        let seeds = 3 * file..3 * file + 3;
        let records: Vec<u8> = seeds.flat_map(|seed| record(&[(seed % 10) as u8], seed)).collect();
        write(root, &format!("data_batch_{}.bin", file + 1), &records);
    }
    write(root, "test_batch.bin", &[record(&[7], 90), record(&[0], 91)].concat());
    write(
        root,
        "batches.meta.txt",
        b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n",
    );
}

fn write_cifar100(root: &Path) {
    write(root, "train.bin", &[record(&[3, 42], 0), record(&[19, 99], 1)].concat());
    write(root, "test.bin", &record(&[0, 5], 2));
    let names = |what: &str, count| (0..count).map(|i| format!("{what}_{i}\n")).collect::<String>();
    write(root, "fine_label_names.txt", names("fine", 100).as_bytes());
    write(root, "coarse_label_names.txt", names("coarse", 20).as_bytes());
}

fn cifar10() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_cifar10(dir.path());
    dir
}

fn open_error(root: &Path, kind: CifarKind, split: Split) -> SetError {
    match CifarSet::open(root, kind, split, 3).err().unwrap() {
        DataError::Set(error) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            error
        }
        other => panic!("{other}"),
    }
}

#[test]
fn records_become_images_in_the_order_of_the_files() {
    let dir = cifar10();
    let set = CifarSet::open(dir.path(), CifarKind::Cifar10, Split::Train, 3).unwrap();
    assert_eq!((set.len(), set.channels(), &set.classes()[9][..]), (15, 3, "truck"));
    for index in [0, 2, 3, 14] {
        let image = set.image(index).unwrap();
        assert_eq!(
            (image.width(), image.height(), set.label(index)),
            (32, 32, Some(index % 10))
        );
        // Interleaved: row 5, column 9 begins at 3 * (5 * 32 + 9).
        assert_eq!(
            image.pixels()[507..510],
            [0, 1, 2].map(|channel| pixel(index, channel, 9, 5))
        );
    }
    assert_eq!(
        (set.name(0), set.name(14)),
        ("data_batch_1.bin#0".into(), "data_batch_5.bin#2".into())
    );
    let test = CifarSet::open(dir.path(), CifarKind::Cifar10, Split::Test, 3).unwrap();
    assert_eq!(
        (test.label(0), test.label(1), test.name(1)),
        (Some(7), Some(0), "test_batch.bin#1".into())
    );
    let item = set.get(4).unwrap().unwrap();
    assert_eq!(
        (&item.image, item.label, item.index),
        (&*set.image(4).unwrap(), Some(4), 4)
    );
    assert!(set.get(15).is_none());
}

#[test]
fn cifar100_has_fine_labels_and_coarse_ones_when_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    write_cifar100(dir.path());
    let fine = CifarSet::open(dir.path(), CifarKind::Cifar100, Split::Train, 3).unwrap();
    assert_eq!(
        (fine.classes().len(), fine.label(0), fine.label(1)),
        (100, Some(42), Some(99))
    );
    let coarse = CifarSet::open(dir.path(), CifarKind::Cifar100Coarse, Split::Train, 3).unwrap();
    assert_eq!(
        (coarse.classes().len(), coarse.label(0), coarse.label(1)),
        (20, Some(3), Some(19))
    );
    for set in [fine, coarse] {
        assert_eq!(
            set.image(1).unwrap().pixels()[..3],
            [0, 1, 2].map(|channel| pixel(1, channel, 0, 0))
        );
    }
}

#[test]
fn the_folder_is_found_as_the_archives_unpack() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!CifarKind::Cifar10.is_at(dir.path()) && !CifarKind::Cifar100.is_at(dir.path()));
    write_cifar10(&dir.path().join("cifar-10-batches-bin"));
    write_cifar100(&dir.path().join("cifar-100-binary"));
    assert!(CifarKind::Cifar10.is_at(dir.path()) && CifarKind::Cifar100.is_at(dir.path()));
    assert!(CifarKind::Cifar10.is_at(&dir.path().join("cifar-10-batches-bin")));
    for (kind, len) in [(CifarKind::Cifar10, 15), (CifarKind::Cifar100, 2)] {
        let (train, test) = CifarSet::open_splits(dir.path(), kind, 3).unwrap();
        assert_eq!((train.len(), train.kind()), (len, kind));
        assert!(test.is_some());
    }
    assert!(matches!(
        CifarSet::open(dir.path().join("no"), CifarKind::Cifar10, Split::Train, 3),
        Err(DataError::MissingFolder { .. })
    ));
}

#[test]
fn other_channels_are_made_of_rgb_or_refused() {
    let dir = cifar10();
    let open = |channels| CifarSet::open(dir.path(), CifarKind::Cifar10, Split::Test, channels);
    let rgb = open(3).unwrap().image(1).unwrap();
    for channels in [1, 4] {
        let set = open(channels).unwrap();
        let expected = (*rgb).clone().into_channels(channels).unwrap();
        assert_eq!((&*set.image(1).unwrap(), set.channels()), (&expected, channels));
    }
    let error = open(2).err().unwrap().to_string();
    assert!(
        error.contains("CIFAR-10") && error.contains("model.in_channels"),
        "{error}"
    );
}

#[test]
fn a_missing_part_is_named_and_a_missing_test_file_is_no_test_split() {
    for missing in ["data_batch_3.bin", "batches.meta.txt"] {
        let dir = cifar10();
        fs::remove_file(dir.path().join(missing)).unwrap();
        let error = open_error(dir.path(), CifarKind::Cifar10, Split::Train);
        assert!(
            matches!(&error, SetError::MissingPart { file, .. } if file == missing),
            "{error}"
        );
        assert!(error.to_string().contains("fetch"), "{error}");
    }
    let dir = cifar10();
    fs::remove_file(dir.path().join("test_batch.bin")).unwrap();
    assert!(
        CifarSet::open_splits(dir.path(), CifarKind::Cifar10, 3)
            .unwrap()
            .1
            .is_none()
    );
    let error = open_error(dir.path(), CifarKind::Cifar10, Split::Test);
    assert!(matches!(error, SetError::MissingPart { file, .. } if file == "test_batch.bin"));
}

#[test]
fn damaged_parts_are_named_with_what_is_wrong() {
    let dir = cifar10();
    let fault = |file: &str, bytes: &[u8]| {
        let path = dir.path().join(file);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let error = open_error(dir.path(), CifarKind::Cifar10, Split::Train);
        fs::write(&path, whole).unwrap();
        assert_eq!(error.path(), Some(&*path));
        match error {
            SetError::Cifar { fault, .. } => fault,
            other => panic!("{other}"),
        }
    };
    assert_eq!(fault("data_batch_2.bin", b""), CifarFault::Empty);
    assert!(matches!(
        fault("data_batch_5.bin", &record(&[1], 0)[..3000]),
        CifarFault::Cut { bytes: 3000, .. }
    ));
    let label = fault("data_batch_1.bin", &[record(&[9], 0), record(&[10], 0)].concat());
    assert!(matches!(
        label,
        CifarFault::Label {
            record: 1,
            label: 10,
            ..
        }
    ));
    assert!(matches!(
        fault("batches.meta.txt", b"airplane\n"),
        CifarFault::Names { found: 1, .. }
    ));
    assert!(CifarSet::open(dir.path(), CifarKind::Cifar10, Split::Train, 3).is_ok());
}

#[test]
fn the_python_version_is_recognised() {
    for file in ["data_batch_1", "cifar-10-batches-py/data_batch_1"] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), file, b"\x80\x02}q\x01");
        let error = open_error(dir.path(), CifarKind::Cifar10, Split::Train);
        assert!(matches!(error, SetError::PythonCifar { .. }), "{error}");
    }
}

#[test]
#[should_panic(expected = "image 2 of a set of 2")]
fn an_image_past_the_end_panics_with_both_numbers() {
    let dir = cifar10();
    let _ = CifarSet::open(dir.path(), CifarKind::Cifar10, Split::Test, 3)
        .unwrap()
        .image(2);
}
