//! Tests of format detection, and of the errors for a requested format that is not present.

use crate::common;

use std::path::Path;

use barlow_data::{DataError, DataFormat, FolderLayout, OpenOptions, Splits, detect};
use common::{folder, two_classes, write};

fn files(names: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in names {
        write(dir.path(), name, b"");
    }
    dir
}

fn open_as(root: &Path, format: DataFormat) -> Result<Splits, DataError> {
    Splits::open(
        root,
        &OpenOptions {
            format,
            ..Default::default()
        },
    )
}

#[test]
fn formats_are_told_by_the_names_in_a_folder() {
    for (names, format) in [
        (&["ant/0.png"][..], DataFormat::Folder),
        (&["0.png"], DataFormat::Folder),
        (&["train/ant/0.png", "val/ant/0.png"], DataFormat::Folder),
        (&["notes.txt"], DataFormat::Folder),
        (&["data_batch_1.bin", "test_batch.bin"], DataFormat::Cifar10),
        (&["cifar-10-batches-bin/data_batch_1.bin"], DataFormat::Cifar10),
        (&["train.bin", "fine_label_names.txt"], DataFormat::Cifar100),
        (
            &["cifar-100-binary/train.bin", "cifar-100-binary/fine_label_names.txt"],
            DataFormat::Cifar100,
        ),
        (&["train-images-idx3-ubyte", "train-labels-idx1-ubyte"], DataFormat::Idx),
        (&["train-images-idx3-ubyte.gz"], DataFormat::Idx),
        (&["JPEGImages/a.jpg", "Annotations/a.xml"], DataFormat::Voc),
        (&["BCCD/JPEGImages/a.jpg", "BCCD/Annotations/a.xml"], DataFormat::Voc),
        (
            &[
                "VOCdevkit/VOC2007/JPEGImages/a.jpg",
                "VOCdevkit/VOC2007/Annotations/a.xml",
            ],
            DataFormat::Voc,
        ),
        // A class that happens to have this name.
        (&["JPEGImages/a.jpg", "other/b.jpg"], DataFormat::Folder),
    ] {
        assert_eq!(detect(files(names).path()).unwrap(), format, "{names:?}");
    }
}

#[test]
fn a_list_is_a_text_file_or_a_train_txt_that_names_images() {
    let dir = folder(&["a.png"]);
    let text = |name: &str, text: &str| write(dir.path(), name, text.as_bytes());
    assert_eq!(detect(text("subset.txt", "")).unwrap(), DataFormat::List);
    assert_eq!(detect(text("subset", "a.png\n")).unwrap(), DataFormat::List);
    assert_eq!(detect(text("set.tar", "")).unwrap(), DataFormat::WebDataset);
    assert_eq!(detect(text("set.parquet", "")).unwrap(), DataFormat::Parquet);
    for file in [text("set.zip", "PK"), dir.path().join("a.png")] {
        assert!(matches!(detect(&file), Err(DataError::NotAFolder { path }) if path == file));
    }
    assert!(matches!(
        detect(dir.path().join("no")),
        Err(DataError::MissingFolder { .. })
    ));
    text("train.txt", "How we trained: with patience.\n");
    assert_eq!(detect(dir.path()).unwrap(), DataFormat::Folder);
    text("train.txt", "a.png\n");
    assert_eq!(detect(dir.path()).unwrap(), DataFormat::List);
    // Folders take precedence over lists next to them.
    write(dir.path(), "train/ant/0.png", b"");
    assert_eq!(detect(dir.path()).unwrap(), DataFormat::Folder);
}

#[test]
fn a_format_that_is_not_there_says_what_was_looked_for() {
    let photos = two_classes(1);
    for (format, parts) in [
        (DataFormat::Voc, &["JPEGImages", "Annotations"][..]),
        (DataFormat::List, &["train.txt"]),
        (DataFormat::Cifar10, &["data_batch_1.bin"]),
        (DataFormat::Cifar100, &["train.bin"]),
        (DataFormat::Idx, &["train-", "-ubyte"]),
    ] {
        let error = open_as(photos.path(), format).unwrap_err().to_string();
        for part in parts.iter().copied().chain([&*photos.path().display().to_string()]) {
            assert!(error.contains(part), "{format}: {part} is missing: {error}");
        }
        assert!(!error.contains('\n'), "{error}");
        let missing = open_as(&photos.path().join("no"), format).unwrap_err();
        assert!(missing.path().unwrap().ends_with("no"), "{format}: {missing}");
    }
    let file = write(photos.path(), "set.bin", b"");
    for format in [
        DataFormat::Folder,
        DataFormat::Voc,
        DataFormat::Cifar10,
        DataFormat::Idx,
    ] {
        assert!(
            matches!(open_as(&file, format), Err(DataError::NotAFolder { .. })),
            "{format}"
        );
    }
    let cifar = files(&["data_batch_1.bin"]);
    assert!(matches!(
        open_as(cifar.path(), DataFormat::Folder),
        Err(DataError::NoImages { .. })
    ));
}

#[test]
fn splits_say_what_they_are_and_pass_channels_through() {
    let photos = folder(&["2021/05/a.png"]);
    let options = OpenOptions {
        channels: 4,
        ..Default::default()
    };
    let splits = Splits::open(photos.path(), &options).unwrap();
    assert_eq!(
        (splits.format, splits.layout),
        (DataFormat::Folder, Some(FolderLayout::Nested))
    );
    assert_eq!(
        (splits.train.channels(), splits.train.image(0).unwrap().channels()),
        (4, 4)
    );
    assert!(splits.index.is_empty());
}

#[test]
fn cifar_and_idx_are_opened_with_their_test_files() {
    let dir = tempfile::tempdir().unwrap();
    for number in 1..=5 {
        write(dir.path(), &format!("data_batch_{number}.bin"), &[7; 3073]);
    }
    write(
        dir.path(),
        "batches.meta.txt",
        "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n".as_bytes(),
    );
    let splits = open_as(dir.path(), DataFormat::Auto).unwrap();
    assert_eq!(
        (splits.format, splits.train.len(), splits.train.label(4)),
        (DataFormat::Cifar10, 5, Some(7))
    );
    assert!(splits.test.is_none());
    write(dir.path(), "test_batch.bin", &[1; 2 * 3073]);
    assert_eq!(open_as(dir.path(), DataFormat::Auto).unwrap().test.unwrap().len(), 2);

    let dir = tempfile::tempdir().unwrap();
    for (prefix, images) in [("train", 3_u8), ("t10k", 2)] {
        let pixels = [
            &[0, 0, 8, 3, 0, 0, 0, images, 0, 0, 0, 2, 0, 0, 0, 2],
            &vec![9; 4 * usize::from(images)][..],
        ]
        .concat();
        write(dir.path(), &format!("{prefix}-images-idx3-ubyte"), &pixels);
        let labels = [&[0, 0, 8, 1, 0, 0, 0, images], &vec![1; usize::from(images)][..]].concat();
        write(dir.path(), &format!("{prefix}-labels-idx1-ubyte"), &labels);
    }
    let splits = open_as(dir.path(), DataFormat::Auto).unwrap();
    let test = splits.test.unwrap();
    assert_eq!((splits.format, splits.train.len(), test.len()), (DataFormat::Idx, 3, 2));
    assert_eq!((test.label(1), test.channels()), (Some(1), 3));
}

#[test]
fn formats_are_written_in_a_config_as_they_are_shown() {
    let all = [
        DataFormat::Auto,
        DataFormat::Folder,
        DataFormat::Cifar10,
        DataFormat::Cifar100,
        DataFormat::Idx,
        DataFormat::Voc,
        DataFormat::List,
        DataFormat::WebDataset,
        DataFormat::Parquet,
    ];
    let names = all.map(|format| format.to_string());
    assert_eq!(
        names,
        [
            "auto",
            "folder",
            "cifar10",
            "cifar100",
            "idx",
            "voc",
            "list",
            "webdataset",
            "parquet"
        ]
    );
    for (format, name) in all.into_iter().zip(names) {
        use serde::de::IntoDeserializer;
        use serde::de::value::Error;
        let read: Result<DataFormat, Error> =
            serde::Deserialize::deserialize(IntoDeserializer::<Error>::into_deserializer(name.as_str()));
        assert_eq!(read, Ok(format));
    }
}
