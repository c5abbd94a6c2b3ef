//! WebDataset: labels and pixels compared with the images that the tars were made of; layouts; what is wrong with tars.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use barlow_augment::{Image8, encode_png};
use barlow_data::{
    BadImages, DataError, DataFormat, ImageSource, IndexCache, IndexNote, LeftOutReason, OpenOptions, ShardError,
    Splits, TarFault, WebDataset, detect, index_tar,
};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use crate::common::{image, write};

fn png(seed: usize) -> Vec<u8> {
    encode_png(&image(seed)).unwrap()
}

/// A tar of these members.
fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A tar of `count` images from number `first` on, each with its label.
fn shard(first: usize, count: usize, label: impl Fn(usize) -> (&'static str, String)) -> Vec<u8> {
    let mut members = Vec::new();
    for number in first..first + count {
        let (extension, text) = label(number);
        members.push((format!("{number:06}.{extension}"), text.into_bytes()));
        members.push((format!("{number:06}.png"), png(number)));
    }
    let members: Vec<(&str, &[u8])> = members
        .iter()
        .map(|(name, bytes)| (name.as_str(), &bytes[..]))
        .collect();
    tar(&members)
}

fn cls(number: usize) -> (&'static str, String) {
    ("cls", (number % 3).to_string())
}

fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        write(dir.path(), name, bytes);
    }
    dir
}

fn open(path: impl AsRef<Path>, bad_images: BadImages) -> Result<Splits, DataError> {
    let options = OpenOptions {
        bad_images,
        ..OpenOptions::default()
    };
    Splits::open(path, &options)
}

/// The set of one tar, in its folder.
struct One {
    splits: Splits,
    _folder: TempDir,
}

impl std::ops::Deref for One {
    type Target = Splits;
    fn deref(&self) -> &Splits {
        &self.splits
    }
}

fn one(bytes: &[u8], bad_images: BadImages) -> Result<One, DataError> {
    let folder = tempfile::tempdir().unwrap();
    open(write(folder.path(), "one.tar", bytes), bad_images).map(|splits| One {
        splits,
        _folder: folder,
    })
}

fn check(set: &dyn ImageSource, numbers: std::ops::Range<usize>) {
    assert_eq!(set.len(), numbers.len());
    for (index, number) in numbers.enumerate() {
        assert_eq!(*set.image(index).unwrap(), Image8::from(image(number)), "image {index}");
    }
}

fn names(set: &dyn ImageSource) -> Vec<Option<String>> {
    (0..set.len())
        .map(|index| set.label(index).map(|label| set.classes()[label].clone()))
        .collect()
}

#[test]
fn shards_of_a_folder_are_splits_with_one_numbering() {
    let dir = folder(&[
        ("train-000000.tar", shard(0, 4, cls)),
        ("train-000001.tar", shard(4, 3, cls)),
        ("val-000000.tar", shard(100, 2, cls)),
        ("classnames.txt", b"ant\nbee\ncat\n".to_vec()),
    ]);
    assert_eq!(detect(dir.path()).unwrap(), DataFormat::WebDataset);
    let splits = open(dir.path(), BadImages::Error).unwrap();
    check(&*splits.train, 0..7);
    check(splits.test.as_deref().unwrap(), 100..102);
    assert_eq!(splits.train.classes(), ["ant", "bee", "cat"]);
    let labels: Vec<_> = (0..7).map(|index| splits.train.label(index)).collect();
    assert_eq!(labels, [0, 1, 2, 0, 1, 2, 0].map(Some));
    assert_eq!(
        names(splits.test.as_deref().unwrap()),
        [Some("bee".into()), Some("cat".into())]
    );
    assert_eq!(splits.train.name(4), "train-000001.tar/000004.png");
    assert!(splits.left_out.is_empty(), "{}", splits.left_out);
    let stamp = splits.train.stamp(0);
    assert_eq!((stamp[0], stamp[1] > 0), (png(0).len() as u64, true));
}

#[test]
fn layouts_and_patterns_are_found() {
    for (train, test) in [
        ("train/0.tar", "val/0.tar"),
        ("imagenet1k-train-0000.tar", "imagenet1k-validation-00.tar"),
        ("data/train-0.tar", "data/test-0.tar"),
        ("Train/a.tar", "Testing/a.tar"),
    ] {
        let dir = folder(&[(train, shard(0, 3, cls)), (test, shard(3, 3, cls))]);
        let splits = open(dir.path(), BadImages::Error).unwrap();
        check(&*splits.train, 0..3);
        check(&*splits.test.unwrap(), 3..6);
    }
    let files: Vec<(String, Vec<u8>)> = (8..11).map(|n| (format!("s-{n:02}.tar"), shard(n, 1, cls))).collect();
    let files: Vec<(&str, Vec<u8>)> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.clone()))
        .collect();
    let dir = folder(&files);
    let pattern = dir.path().join("s-{08..10}.tar");
    assert_eq!(detect(&pattern).unwrap(), DataFormat::WebDataset);
    let splits = open(&pattern, BadImages::Error).unwrap();
    check(&*splits.train, 8..11);
    assert!(splits.test.is_none());
    check(&*open(dir.path(), BadImages::Error).unwrap().train, 8..11);
    let error = open(dir.path().join("s-{08..12}.tar"), BadImages::Error).unwrap_err();
    assert!(
        error.to_string().contains("there is no shard") && error.to_string().contains("s-11.tar"),
        "{error}"
    );
    let error = open(folder(&[("val-0.tar", shard(0, 1, cls))]).path(), BadImages::Error).unwrap_err();
    assert!(
        matches!(error, DataError::Shard(ShardError::NoTrainShards { .. })),
        "{error}"
    );
}

#[test]
fn archives_beside_what_was_unpacked_from_them_are_not_the_set() {
    let dir = folder(&[
        ("train.tar", shard(0, 3, cls)),
        ("train/ant/a.png", png(1)),
        ("train/bee/b.png", png(2)),
    ]);
    assert_eq!(detect(dir.path()).unwrap(), DataFormat::Folder);
    let dir = folder(&[
        ("a.tar", shard(0, 3, cls)),
        ("b.tar", shard(0, 3, cls)),
        ("preview.png", png(0)),
    ]);
    assert_eq!(detect(dir.path()).unwrap(), DataFormat::WebDataset);
    let dir = folder(&[
        ("a.tar", shard(0, 3, cls)),
        ("ant/x.png", png(0)),
        ("bee/y.png", png(1)),
    ]);
    assert_eq!(detect(dir.path()).unwrap(), DataFormat::Folder);
}

#[test]
fn labels_are_read_from_every_kind_of_member() {
    let animal = |number: usize| ["bee", "ant", "cat"][number % 3];
    let json = |number: usize| {
        (
            "json",
            format!(r#"{{"class_name": "{}", "caption": "a b"}}"#, animal(number)),
        )
    };
    let txt = |number: usize| ("txt", animal(number).to_owned());
    let name = |number: usize| ("cls", format!("{}\n", animal(number)));
    for bytes in [shard(0, 6, json), shard(0, 6, txt), shard(0, 6, name)] {
        let splits = one(&bytes, BadImages::Error).unwrap();
        check(&*splits.train, 0..6);
        assert_eq!(splits.train.classes(), ["ant", "bee", "cat"]);
        let expected: Vec<_> = (0..6).map(|number| Some(animal(number).to_owned())).collect();
        assert_eq!(names(&*splits.train), expected);
    }
    // Captions are no classes, and said to be left out.
    let captions = one(
        &shard(0, 20, |n| ("txt", format!("a photo of thing number {n}"))),
        BadImages::Error,
    )
    .unwrap();
    assert_eq!(
        (
            captions.train.len(),
            captions.train.classes().len(),
            captions.train.label(0)
        ),
        (20, 0, None)
    );
    assert!(
        captions.left_out.to_string().contains("captions and not used"),
        "{:?}",
        captions.left_out
    );
    // Ten is after nine, and no set has labels by accident.
    let numbers = one(&shard(0, 11, |n| ("cls", n.to_string())), BadImages::Error).unwrap();
    assert_eq!(numbers.train.classes()[9..], ["9", "10"]);
    let without = one(&tar(&[("a.png", &png(0)), ("b.png", &png(1))]), BadImages::Error).unwrap();
    assert_eq!((without.train.len(), without.train.label(0)), (2, None));
}

#[test]
fn members_in_any_order_with_folders_and_long_names_are_matched() {
    let long = format!("{}/image", "deep".repeat(60));
    let (a, b, c) = (png(0), png(1), png(2));
    let members: Vec<(String, &[u8])> = vec![
        ("./x/a.png".into(), &a),
        ("x/b.png".into(), &b),
        (format!("{long}.png"), &c),
        (format!("{long}.cls"), b"2"),
        ("x/b.cls".into(), b"1"),
        ("x/a.cls".into(), b"0"),
        ("x/._a.png".into(), b"junk"),
        ("__MACOSX/x/a.png".into(), b"junk"),
        ("x/a.mask.png".into(), b"other"),
    ];
    let members: Vec<(&str, &[u8])> = members.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    let splits = one(&tar(&members[..8]), BadImages::Error).unwrap();
    check(&*splits.train, 0..3);
    assert_eq!(names(&*splits.train), ["0", "1", "2"].map(|name| Some(name.into())));
    assert_eq!(splits.train.name(2), format!("one.tar/{long}.png"));
    // pax names, and a mask beside its image.
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in [
        ("a.cls", &b"4"[..]),
        ("a.png", &a),
        ("a.mask.png", b"m"),
        ("a.npy", b"n"),
    ] {
        let long = format!("{}/{name}", "ä".repeat(100));
        builder.append_pax_extensions([("path", long.as_bytes())]).unwrap();
        let mut header = Header::new_ustar();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, "short", bytes).unwrap();
    }
    let splits = one(&builder.into_inner().unwrap(), BadImages::Error).unwrap();
    check(&*splits.train, 0..1);
    assert!(splits.train.name(0).ends_with("ä/a.png"));
    let reasons: Vec<LeftOutReason> = splits.left_out.iter().map(|(reason, _)| reason.clone()).collect();
    let expected = ["further images of a sample", "members of the kind .npy"];
    assert_eq!(reasons, expected.map(|reason| LeftOutReason::OfShards(reason.into())));
}

#[test]
fn faults_are_errors_or_counted() {
    let (a, b) = (png(0), png(1));
    let good: Vec<(&str, &[u8])> = vec![("a.cls", b"0"), ("a.png", &a), ("b.cls", b"1"), ("b.png", &b)];
    let with = |more: &[(&str, &[u8])]| tar(&[&good[..], more].concat());
    let mut cut = with(&[]);
    cut.truncate(4 * 512 + 100);
    let mut broken = with(&[]);
    broken[3 * 512 + a.len().next_multiple_of(512) + 3] ^= 1;
    let mut link = Builder::new(Vec::new());
    for (name, bytes) in &good {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        link.append_data(&mut header, name, *bytes).unwrap();
    }
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Symlink);
    header.set_size(0);
    link.append_link(&mut header, "c.png", "a.png").unwrap();
    for (bytes, error, left) in [
        (
            with(&[("a.png", &a), ("a.cls", b"0")]),
            "a member of this name before (a.png)",
            2,
        ),
        (with(&[("c.cls", b"2")]), "the label has no image (c)", 2),
        (with(&[("c.png", &a)]), "c.png has no label", 2),
        (
            with(&[("c.json", b"{"), ("c.png", &a)]),
            "the label cannot be read (c.png)",
            2,
        ),
        (broken, "there is no valid tar header (byte", 1),
        (link.into_inner().unwrap(), "a link, a sparse file", 2),
    ] {
        let failed = one(&bytes, BadImages::Error).err().unwrap();
        assert!(
            matches!(failed, DataError::Shard(ShardError::Fault { .. })),
            "{failed:?}"
        );
        let text = failed.to_string();
        assert!(
            text.contains(error) && text.contains("one.tar") && !text.contains('\n'),
            "{text}"
        );
        let splits = one(&bytes, BadImages::Skip).unwrap();
        assert_eq!(splits.train.len(), left, "{error}");
        assert_eq!(
            splits.left_out.iter().map(|(_, left_out)| left_out.count).sum::<u64>(),
            1,
            "{:?}",
            splits.left_out
        );
    }
    let failed = one(&cut, BadImages::Error).err().unwrap().to_string();
    assert!(
        failed.contains("ends within a member (a.png)") || failed.contains("the file ends"),
        "{failed}"
    );
    let failed = one(&tar(&[("a.npy", b"1")]), BadImages::Error)
        .err()
        .unwrap()
        .to_string();
    assert!(failed.contains("no images") && failed.contains(".npy"), "{failed}");
}

#[test]
fn a_tar_of_a_folder_is_refused_for_its_splits_and_its_classes_are_not_lost_in_silence() {
    let (a, b) = (png(0), png(1));
    let failed = one(
        &tar(&[("set/train/x/a.png", &a), ("set/test/x/b.png", &b)]),
        BadImages::Skip,
    );
    let failed = failed.err().unwrap().to_string();
    assert!(
        failed.contains("train/ and test/") && failed.contains("unpack"),
        "{failed}"
    );
    let splits = one(&tar(&[("ant/a.png", &a), ("bee/b.png", &b)]), BadImages::Error).unwrap();
    assert_eq!((splits.train.len(), splits.train.label(0)), (2, None));
    assert!(
        splits.left_out.to_string().contains("not taken for classes"),
        "{:?}",
        splits.left_out
    );
}

#[test]
fn compressed_shards_are_refused_by_name_and_by_content() {
    let dir = folder(&[("train-0.tar.gz", b"\x1F\x8B\x08\0\0\0\0\0".to_vec())]);
    let failed = open(dir.path(), BadImages::Skip).unwrap_err();
    assert!(
        matches!(failed, DataError::Shard(ShardError::Compressed { .. })),
        "{failed:?}"
    );
    assert!(failed.to_string().contains("gunzip"), "{failed}");
    let dir = folder(&[("train-0.tar", b"\x28\xB5\x2F\xFD\0\0".to_vec())]);
    let failed = open(dir.path(), BadImages::Skip).unwrap_err().to_string();
    assert!(failed.contains("mv ") && failed.contains("unzstd"), "{failed}");
}

#[test]
fn joined_tars_are_read_to_the_end_and_what_follows_the_end_mark_is_not() {
    let joined = [shard(0, 2, cls), shard(2, 2, cls), b"trailing text".repeat(80)].concat();
    let splits = one(&joined, BadImages::Error).unwrap();
    check(&*splits.train, 0..4);
}

#[test]
fn sizes_in_headers_are_not_believed() {
    let mut header = Header::new_gnu();
    header.set_path("a.png").unwrap();
    for size in [u64::MAX, 1 << 40, 5000, 512 << 20] {
        header.set_size(size);
        header.set_cksum();
        let index = index_tar(&[header.as_bytes(), &[0; 512][..]].concat());
        assert!(index.is_empty());
        assert_eq!(
            index.faults().map(|(fault, ..)| fault).collect::<Vec<_>>(),
            [TarFault::Truncated],
            "{size}"
        );
    }
    for kind in [EntryType::GNULongName, EntryType::XHeader] {
        header.set_entry_type(kind);
        header.set_size(1 << 40);
        header.set_cksum();
        assert!(index_tar(header.as_bytes()).is_empty());
    }
}

#[test]
fn cut_and_changed_tars_never_panic_and_keep_what_is_before() {
    let bytes = shard(0, 3, cls);
    let whole = index_tar(&bytes);
    assert_eq!((whole.len(), whole.faults().count()), (3, 0));
    for cut in (0..100).map(|step| step * bytes.len() / 100) {
        let index = index_tar(&bytes[..cut]);
        for place in 0..index.len() {
            assert_eq!(index.name(place), whole.name(place));
            assert_eq!(index.range(place), whole.range(place));
            let (start, size) = index.range(place);
            assert!(start as usize + size <= cut);
        }
    }
    for place in 0..bytes.len() {
        for value in [0, 0xFF, b'9', bytes[place] ^ 1] {
            let mut changed = bytes.clone();
            changed[place] = value;
            let index = index_tar(&changed);
            assert!((0..index.len()).all(|image| {
                let (start, size) = index.range(image);
                start as usize + size <= changed.len() && !index.name(image).is_empty()
            }));
        }
    }
}

#[test]
fn a_shard_that_is_replaced_in_a_run_is_noticed() {
    let dir = folder(&[("a.tar", shard(0, 4, cls))]);
    let splits = open(dir.path(), BadImages::Error).unwrap();
    write(dir.path(), "a.tar", &shard(0, 2, cls));
    let failed = splits.train.image(0).unwrap_err();
    assert!(
        matches!(failed, DataError::Shard(ShardError::Changed { .. })),
        "{failed}"
    );
}

#[test]
fn the_index_is_cached_and_only_changed_shards_are_read_again() {
    let dir = folder(&[("a.tar", shard(0, 4, cls)), ("b.tar", shard(4, 4, cls))]);
    let old = SystemTime::now() - Duration::from_secs(60);
    let age = |name: &str, time| {
        fs::File::open(dir.path().join(name))
            .unwrap()
            .set_modified(time)
            .unwrap()
    };
    age("a.tar", old);
    age("b.tar", old);
    let folder = tempfile::tempdir().unwrap();
    let cache = IndexCache {
        folder: folder.path().into(),
        min_images: 1,
    };
    let paths: Vec<PathBuf> = ["a.tar", "b.tar"].map(|name| dir.path().join(name)).to_vec();
    let open = || {
        let (set, left_out, note) = WebDataset::open(&paths, 3, BadImages::Error, Some(&cache)).unwrap();
        assert_eq!(left_out, []);
        (set, note.unwrap())
    };
    assert!(matches!(open().1, IndexNote::Stored { replaced: None, .. }));
    let (set, note) = open();
    let IndexNote::Used { file } = note else {
        panic!("{note:?}");
    };
    check(&set, 0..8);
    assert_eq!(names(&set)[..2], [Some("0".into()), Some("1".into())]);
    // Another shard of the same size.
    write(dir.path(), "b.tar", &shard(5, 4, cls));
    age("b.tar", old + Duration::from_secs(1));
    let (set, note) = open();
    assert!(
        matches!(&note, IndexNote::Stored { replaced: Some(reason), .. } if reason == "out of date"),
        "{note:?}"
    );
    assert_eq!(*set.image(7).unwrap(), Image8::from(image(8)));
    // A damaged index is read again.
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let (set, note) = open();
    assert!(matches!(&note, IndexNote::Stored { replaced: Some(_), .. }), "{note:?}");
    assert_eq!(set.len(), 8);
    assert!(matches!(open().1, IndexNote::Used { .. }));
    age("b.tar", SystemTime::now());
    assert_eq!(open().1, IndexNote::Unsettled);
}

#[test]
fn threads_read_all_images_in_any_order() {
    let dir = folder(&[("a.tar", shard(0, 10, cls)), ("b.tar", shard(10, 10, cls))]);
    let set = open(dir.path(), BadImages::Error).unwrap().train;
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let set = &set;
            scope.spawn(move || {
                for step in 0..60 {
                    let index = (step * 7 + thread * 3) % 20;
                    assert_eq!(*set.image(index).unwrap(), Image8::from(image(index)));
                }
            });
        }
    });
}
