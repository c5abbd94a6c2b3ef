//! Tests of file lists: where images are searched, which classes they have, and the one-line error for each way a list
//! can be wrong.

use crate::common;

use std::fs;
use std::path::Path;

use barlow_data::{DataError, DataFormat, FileList, ImageFolder, ImageSource, ListError, OpenOptions, Splits};
use common::{folder, image, write};

fn labels(set: &dyn ImageSource) -> Vec<Option<usize>> {
    (0..set.len()).map(|index| set.label(index)).collect()
}

fn names(set: &dyn ImageSource) -> Vec<String> {
    (0..set.len()).map(|index| set.name(index)).collect()
}

fn open_error(list: &Path) -> ListError {
    match FileList::open(list, None, 3) {
        Err(DataError::List(error)) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            error
        }
        other => panic!("{other:?}"),
    }
}

/// A small ImageNet: three classes of ten images, below `train/` or at the top.
fn imagenet(below: &str) -> tempfile::TempDir {
    let names: Vec<String> = ["n01440764", "n01443537", "n02102040"]
        .iter()
        .flat_map(|id| (0..10).map(move |i| format!("{below}{id}/{id}_{i}.JPEG")))
        .collect();
    folder(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_tenth_of_imagenet_has_the_labels_and_pixels_of_the_whole() {
    for below in ["train/", ""] {
        let dir = imagenet(below);
        let whole = ImageFolder::open(dir.path().join(below), 3).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        // Only the first and the last class: the numbers must still be those of the whole set.
        let list = write(
            elsewhere.path(),
            "10percent.txt",
            b"n02102040_3.JPEG\nn01440764_7.JPEG\n",
        );
        let part = FileList::open(list, Some(dir.path()), 3).unwrap();
        assert_eq!(part.classes(), ["n01440764", "n02102040"]);
        assert_eq!(labels(&part), [Some(1), Some(0)]);
        let part = part.with_classes(ImageSource::classes(&whole)).unwrap();
        for index in 0..part.len() {
            let same = (0..ImageFolder::len(&whole))
                .find(|&i| whole.path(i) == part.path(index))
                .unwrap();
            assert_eq!(part.label(index), whole.label(same));
            assert_eq!(part.name(index), format!("{below}{}", whole.name(same)));
            assert_eq!(part.image(index).unwrap().pixels(), whole.image(same).unwrap().pixels());
        }
        assert_eq!(labels(&part), [Some(2), Some(0)]);
        let error = FileList::open(elsewhere.path().join("10percent.txt"), Some(dir.path()), 3).unwrap();
        let error = error.with_classes(&["n01440764".into()]).unwrap_err();
        assert!(matches!(error, DataError::UnknownClass { class, .. } if class == "n02102040"));
    }
}

#[test]
fn classes_are_written_or_else_the_folders_or_else_there_are_none() {
    let dir = folder(&["x/1.png", "y/2.png", "3.png", "my photo.png"]);
    for (text, classes, expected) in [
        (
            "x/1.png\tzoo\ny/2.png\tbee hive\n3.png\tzoo\n",
            &["bee hive", "zoo"][..],
            vec![Some(1), Some(0), Some(1)],
        ),
        ("x/1.png 10\n3.png 9\n", &["10", "9"], vec![Some(0), Some(1)]),
        ("y/2.png\nx/1.png\n", &["x", "y"], vec![Some(1), Some(0)]),
        // A single folder gives no classes, and neither do folders of only some images.
        ("x/1.png\nx/1.png\n", &[], vec![None, None]),
        ("x/1.png\n3.png\n", &[], vec![None, None]),
        ("my photo.png\n3.png", &[], vec![None, None]),
    ] {
        let list = write(dir.path(), "list.txt", text.as_bytes());
        let set = FileList::open(&list, None, 3).unwrap();
        assert_eq!(
            (set.classes(), labels(&set)),
            (
                &classes.iter().map(ToString::to_string).collect::<Vec<_>>()[..],
                expected
            ),
            "{text}"
        );
    }
}

#[test]
fn images_keep_the_lists_order_and_an_image_listed_twice_counts_twice() {
    let dir = folder(&["a.png", "b.png"]);
    let list = write(dir.path(), "list.txt", b"\xEF\xBB\xBFb.png\r\n# no\r\na.png\r\nb.png");
    let set = FileList::open(&list, None, 3).unwrap();
    assert_eq!(names(&set), ["b.png", "a.png", "b.png"]);
    assert_eq!(set.image(2).unwrap().pixels(), image(1).pixels());
    assert_eq!(
        burn_dataset::Dataset::get(&set, 1).unwrap().unwrap().image.pixels(),
        image(0).pixels()
    );
    assert_eq!(FileList::open(&list, None, 1).unwrap().image(0).unwrap().channels(), 1);
}

#[test]
fn files_are_sought_below_the_root_then_beside_the_list_or_where_a_path_leads() {
    let (images, lists) = (folder(&["in/a.png", "both.png"]), folder(&["both.png", "c.png"]));
    let absolute = images.path().join("both.png");
    let text = format!("a.png\nboth.png\nc.png\n../in/../in/a.png\n{}\n", absolute.display());
    let list = write(lists.path(), "list.txt", text.as_bytes());
    let root = images.path().join("in");
    let set = FileList::open(&list, Some(&root), 3).unwrap();
    let expected = [
        root.join("a.png"),
        lists.path().join("both.png"),
        lists.path().join("c.png"),
        root.join("../in/../in/a.png"),
        absolute.clone(),
    ];
    assert_eq!((0..5).map(|index| set.path(index)).collect::<Vec<_>>(), expected);
    assert_eq!(set.name(4), absolute.display().to_string());
    assert!((0..5).all(|index| set.image(index).is_ok()));
}

#[test]
fn every_wrong_list_is_one_line_with_the_number_of_the_line() {
    let dir = folder(&["a.png", "b.png"]);
    let missing = dir.path().join("no.txt");
    assert!(matches!(open_error(&missing), ListError::Missing { path } if path == missing));
    let list = write(dir.path(), "list.txt", b"# nothing\n\n");
    assert!(matches!(open_error(&list), ListError::Empty { .. }));
    fs::write(&list, "a.png\nwords\n").unwrap();
    assert!(matches!(open_error(&list), ListError::BadLine { line: 2, .. }));
    fs::write(&list, "a.png\tcat\n\nb.png\n").unwrap();
    assert!(matches!(
        open_error(&list),
        ListError::NoClass { line: 3, other: 1, .. }
    ));
    fs::write(&list, "a.png\nn01440764_1.JPEG\nc.png\n").unwrap();
    let error = open_error(&list);
    assert!(matches!(&error, ListError::MissingFile { line: 2, .. }), "{error}");
    for place in ["train/n01440764/n01440764_1.JPEG", "n01440764/n01440764_1.JPEG"] {
        let place = dir.path().join(place).display().to_string();
        assert!(error.to_string().contains(&place), "{error}");
    }
}

#[test]
fn a_folder_of_lists_gives_splits() {
    let dir = folder(&["img/x/1.png", "img/y/2.png", "img/y/3.png"]);
    write(dir.path(), "train.txt", b"img/x/1.png\nimg/y/2.png\n");
    let open = || Splits::open(dir.path(), &OpenOptions::default()).unwrap();
    assert_eq!((open().format, open().test.is_none()), (DataFormat::List, true));
    write(dir.path(), "val.txt", b"img/y/3.png y\n");
    let splits = open();
    assert_eq!(labels(&*splits.train), [Some(0), Some(1)]);
    assert_eq!(labels(&*splits.test.unwrap()), [Some(1)]);
    write(dir.path(), "test.txt", b"img/x/1.png\nimg/y/3.png\n");
    assert_eq!(open().test.unwrap().len(), 2, "test takes precedence over val");
}
