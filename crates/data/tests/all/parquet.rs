//! Parquet: what pyarrow writes in every form that is read, bytes and labels compared with the files they were made of.

use std::fs;
use std::path::{Path, PathBuf};

use barlow_data::{
    BadImages, DataError, DataFormat, ImageFolder, ImageSource, OpenOptions, ParquetFile, ParquetSet, ShardError,
    Splits, detect,
};

use crate::common::write;

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/parquet_files")
}

fn file(name: &str) -> PathBuf {
    files().join(format!("{name}.parquet"))
}

/// The image file of a digit that make.py put into the fixtures.
fn digit(number: usize) -> PathBuf {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/sign-digits-64/test");
    assets.join(format!("{number}/IMG_{}.jpg", 1322 + number))
}

fn open(name: &str) -> ParquetSet {
    let (set, left_out) = ParquetSet::open(&[file(name)], 3, BadImages::Error).unwrap();
    let left_out: Vec<String> = left_out.iter().map(ToString::to_string).collect();
    // What is not read is said.
    assert_eq!(
        left_out.join("; "),
        match name {
            "cifar100" => "columns that are not used: 1, such as coarse_label",
            _ => "",
        }
    );
    set
}

/// Digits and class names of a set's images, after comparing their pixels with the folder's.
fn contents(set: &dyn ImageSource, digits: &[usize]) -> Vec<Option<String>> {
    let folder = ImageFolder::open(files().join("../../../../../assets/sign-digits-64/test"), 3).unwrap();
    assert_eq!(set.len(), digits.len());
    for (index, &number) in digits.iter().enumerate() {
        let place = (0..folder.len()).find(|&place| folder.path(place).ends_with(digit(number).file_name().unwrap()));
        let expected = folder.image(place.unwrap()).unwrap();
        assert_eq!(set.image(index).unwrap(), expected, "image {index}");
    }
    (0..set.len())
        .map(|index| set.label(index).map(|label| set.classes()[label].clone()))
        .collect()
}

fn labels(labels: &[&str]) -> Vec<Option<String>> {
    labels.iter().map(|&label| Some(label.to_owned())).collect()
}

#[test]
fn every_codec_page_version_and_encoding_gives_the_same_images_and_labels() {
    for name in [
        "none",
        "gzip",
        "zstd",
        "v2",
        "no-dictionary",
        "pages",
        "overflow",
        "delta",
    ] {
        let set = open(name);
        assert_eq!(set.classes(), ["0", "1", "2"], "{name}");
        assert_eq!(contents(&set, &[0, 1, 2, 1]), labels(&["0", "1", "2", "1"]), "{name}");
        let bytes = fs::read(file(name)).unwrap();
        let parsed = ParquetFile::parse(&bytes).unwrap();
        for (row, number) in [0, 1, 2, 1].into_iter().enumerate() {
            let image = parsed.image_bytes(&bytes, row).unwrap();
            assert_eq!(
                image.as_deref(),
                Some(&fs::read(digit(number)).unwrap()[..]),
                "{name} row {row}"
            );
        }
    }
}

#[test]
fn a_set_from_the_hub_has_its_splits_its_class_names_and_the_validation_images_for_hidden_test_labels() {
    let root = files().join("hub");
    assert_eq!(detect(&root).unwrap(), DataFormat::Parquet);
    let splits = Splits::open(&root, &OpenOptions::default()).unwrap();
    assert_eq!(splits.format, DataFormat::Parquet);
    let name = |number: &usize| Some(format!("digit {number}"));
    let train = [3, 1, 2, 0, 5, 4];
    assert_eq!(splits.train.classes().len(), 10);
    assert_eq!(
        contents(&*splits.train, &train),
        train.iter().map(name).collect::<Vec<_>>()
    );
    let test = splits.test.unwrap();
    assert_eq!(contents(&*test, &[2, 8]), [name(&2), name(&8)]);
    assert_eq!(test.classes(), splits.train.classes());
    assert_eq!(splits.train.name(3), "train-00000-of-00002.parquet#3");
    assert_eq!(splits.train.name(4), "train-00001-of-00002.parquet#0");
    let text = splits.left_out.to_string();
    assert!(
        splits.left_out.iter().len() == 1
            && text.starts_with("shards of a split without labels next to one with labels (1)"),
        "{text:?}"
    );
}

#[test]
fn fine_labels_come_before_coarse_ones_and_texts_are_classes() {
    let set = open("cifar100");
    assert_eq!(set.classes().len(), 10);
    assert_eq!(
        contents(&set, &[0, 1, 2, 1]),
        labels(&["digit 0", "digit 1", "digit 2", "digit 1"])
    );
    let set = open("text");
    assert_eq!(set.classes(), ["one", "two", "zero"]);
    assert_eq!(contents(&set, &[0, 1, 2, 1]), labels(&["zero", "one", "two", "one"]));
}

#[test]
fn what_is_missing_is_an_error_or_counted() {
    let open = |bad_images| ParquetSet::open(&[file("nulls")], 3, bad_images);
    let error = open(BadImages::Error).unwrap_err();
    assert!(error.to_string().contains("row 2 has no label"), "{error}");
    let (set, left_out) = open(BadImages::Skip).unwrap();
    assert_eq!((set.len(), left_out[0].count), (2, 1));
    let error = set.image(1).unwrap_err();
    assert!(
        error.is_bad_image() && error.to_string().contains("nulls.parquet#1"),
        "{error}"
    );

    for (name, part) in [
        ("lz4", "LZ4"),
        ("no-image", "no column of image bytes among its columns (text, label)"),
    ] {
        let error = ParquetSet::open(&[file(name)], 3, BadImages::Error).unwrap_err();
        assert!(matches!(error, DataError::Shard(ShardError::Fault { .. })), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let (set, left_out) = ParquetSet::open(&[file("lz4"), file("none")], 3, BadImages::Skip).unwrap();
    assert_eq!(set.len(), 4);
    assert!(left_out[0].to_string().contains("lz4.parquet"), "{left_out:?}");
}

#[test]
fn layouts_of_the_hub_are_found() {
    for layout in [
        ["train/0.parquet", "validation/0.parquet"],
        ["plain_text/train/0000.parquet", "plain_text/test/0000.parquet"],
        ["train-00000-of-00001.parquet", "dev.parquet"],
        ["data/train.parquet", "data/test.parquet"],
    ] {
        let dir = tempfile::tempdir().unwrap();
        for name in layout {
            write(dir.path(), name, &fs::read(file("none")).unwrap());
        }
        write(dir.path(), "README.md", b"a card");
        let splits = Splits::open(dir.path(), &OpenOptions::default()).unwrap();
        assert_eq!(
            (splits.format, splits.train.len()),
            (DataFormat::Parquet, 4),
            "{layout:?}"
        );
        assert_eq!(splits.test.map(|test| test.len()), Some(4), "{layout:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    for name in ["fine/train.parquet", "coarse/train.parquet"] {
        write(dir.path(), name, &fs::read(file("none")).unwrap());
    }
    let error = Splits::open(dir.path(), &OpenOptions::default()).unwrap_err();
    assert!(
        matches!(error, DataError::Shard(ShardError::SeveralSets { .. })),
        "{error}"
    );
}

#[test]
fn threads_read_all_rows_in_any_order() {
    let paths: Vec<PathBuf> = ["pages", "overflow", "v2", "zstd"].map(file).to_vec();
    let (set, _) = ParquetSet::open(&paths, 3, BadImages::Error).unwrap();
    let expected: Vec<_> = (0..set.len()).map(|index| set.image(index).unwrap()).collect();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (set, expected) = (&set, &expected);
            scope.spawn(move || {
                for step in 0..200 {
                    let index = (step * 7 + thread * 3) % set.len();
                    assert_eq!(set.image(index).unwrap(), expected[index]);
                }
            });
        }
    });
}

/// Reads all of a file that may be damaged; a panic or an error of several lines fails.
fn read_all(bytes: &[u8]) -> bool {
    let one_line = |error: &String| assert!(!error.is_empty() && !error.contains('\n'), "{error}");
    let file = match ParquetFile::parse(bytes) {
        Ok(file) => file,
        Err(error) => {
            one_line(&error);
            return false;
        }
    };
    let labels = file.labels(bytes);
    labels.as_ref().err().iter().for_each(|error| one_line(error));
    let mut is_good = labels.is_ok();
    for row in 0..file.len().min(8) {
        let image = file.image_bytes(bytes, row);
        image.as_ref().err().iter().for_each(|error| one_line(error));
        is_good &= image.is_ok();
    }
    is_good
}

#[test]
fn cut_files_are_refused() {
    for name in ["tiny", "tiny-v2", "v2"] {
        let bytes = fs::read(file(name)).unwrap();
        assert!(read_all(&bytes));
        for cut in (0..100).map(|step| step * bytes.len() / 100) {
            assert!(!read_all(&bytes[..cut]), "{name} cut at {cut}");
        }
    }
}

#[test]
fn no_changed_byte_makes_a_panic() {
    let names = ["tiny", "tiny-v2", "delta", "overflow", "gzip"];
    for name in names {
        let bytes = fs::read(file(name)).unwrap();
        let step = (bytes.len() / 2500).max(1);
        for place in (0..bytes.len()).step_by(step) {
            for value in [0, 0x7F, 0xFF, bytes[place] ^ 1, bytes[place].wrapping_add(16)] {
                let mut changed = bytes.clone();
                changed[place] = value;
                read_all(&changed);
            }
        }
    }
}
