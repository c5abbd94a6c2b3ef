//! Tests of lists and tables as they are published: other roots, paths without extensions, numbers and classes first, CSV.

use crate::common;

use std::path::Path;

use barlow_data::{BadImages, DataError, FileList, ImageSource, LeftOutReason, ListOptions, OpenOptions, Splits};
use common::{folder, image, write};

fn of(set: &dyn ImageSource) -> Vec<(String, Option<String>)> {
    let class = |index| set.label(index).map(|label| set.classes()[label].clone());
    (0..set.len()).map(|index| (set.name(index), class(index))).collect()
}

fn open(list: &Path, options: &ListOptions) -> Vec<(String, Option<String>)> {
    of(&FileList::open_with(list, options).unwrap_or_else(|error| panic!("{error}")))
}

fn skipping() -> ListOptions {
    ListOptions {
        bad_images: BadImages::Skip,
        ..ListOptions::default()
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
    let owned = |&(name, class): &(&str, &str)| (name.to_owned(), (class != "-").then(|| class.to_owned()));
    expected.iter().map(owned).collect()
}

#[test]
fn lists_as_published_are_read() {
    let dir = folder(&[
        "train/n01440764/0.JPEG",
        "train/n01443537/1.JPEG",
        "real/train/0.jpg",
        "real/bus/1.jpg",
        "images/apple_pie/10056.jpg",
        "images/waffles/7.JPG",
    ]);
    let usual = ListOptions::default();
    for (name, text, expected) in [
        // mmpretrain's, ImageNet's: below `train/`, next to the folder of the list.
        (
            "meta/train.txt",
            "n01440764/0.JPEG 0\nn01443537/1.JPEG 1\n",
            &[("../train/n01440764/0.JPEG", "0"), ("../train/n01443537/1.JPEG", "1")][..],
        ),
        // DomainNet's, with a class called train.
        (
            "real_train.txt",
            "real/train/0.jpg 321\nreal/bus/1.jpg 4\n",
            &[("real/train/0.jpg", "321"), ("real/bus/1.jpg", "4")],
        ),
        // Food-101's: no extensions, below `images/`.
        (
            "meta/food.txt",
            "apple_pie/10056\nwaffles/7\n",
            &[
                ("../images/apple_pie/10056.jpg", "apple_pie"),
                ("../images/waffles/7.JPG", "waffles"),
            ],
        ),
        // CUB's: the number of the line first.
        (
            "images.txt",
            "1 images/apple_pie/10056.jpg\n2 images/waffles/7.JPG\n",
            &[
                ("images/apple_pie/10056.jpg", "apple_pie"),
                ("images/waffles/7.JPG", "waffles"),
            ],
        ),
        // A class first: not each line has another number.
        (
            "first.txt",
            "3 images/apple_pie/10056.jpg\n3 images/waffles/7.JPG\n",
            &[("images/apple_pie/10056.jpg", "3"), ("images/waffles/7.JPG", "3")],
        ),
        (
            "named.txt",
            "pie apple_pie/10056.jpg\nwaffle waffles/7.JPG\n",
            &[
                ("images/apple_pie/10056.jpg", "pie"),
                ("images/waffles/7.JPG", "waffle"),
            ],
        ),
        (
            "bare.txt",
            "apple_pie/10056 5\nwaffles/7 6\n",
            &[("images/apple_pie/10056.jpg", "5"), ("images/waffles/7.JPG", "6")],
        ),
    ] {
        let list = write(dir.path(), name, text.as_bytes());
        assert_eq!(open(&list, &usual), pairs(expected), "{name}");
        let splits = Splits::open(&list, &OpenOptions::default()).unwrap();
        assert_eq!(of(&*splits.train), pairs(expected), "{name}");
    }
    let list = write(
        dir.path(),
        "images.txt",
        b"1 images/apple_pie/10056.jpg\n2 images/waffles/7.JPG\n",
    );
    assert_eq!(
        FileList::open(&list, None, 3).unwrap().image(1).unwrap().pixels(),
        image(5).pixels()
    );
}

#[test]
fn a_root_reaches_the_lists_of_a_folder() {
    let (lists, images) = (tempfile::tempdir().unwrap(), folder(&["a/1.png", "b/2.png"]));
    write(lists.path(), "train.txt", b"a/1.png\nb/2.png\n");
    write(lists.path(), "val.txt", b"b/2.png\n");
    let options = OpenOptions {
        format: barlow_data::DataFormat::List,
        list_root: Some(images.path().into()),
        ..OpenOptions::default()
    };
    let error = Splits::open(
        lists.path(),
        &OpenOptions {
            list_root: None,
            ..options.clone()
        },
    )
    .unwrap_err();
    assert!(error.to_string().contains("data.list_root"), "{error}");
    let splits = Splits::open(lists.path(), &options).unwrap();
    assert_eq!(of(&*splits.train), pairs(&[("a/1.png", "a"), ("b/2.png", "b")]));
}

#[test]
fn tables_are_read_by_the_names_of_their_columns() {
    let dir = folder(&["a b.png", "c.png", "train/000bec.png"]);
    let columns = |columns: &str| ListOptions {
        columns: Some(columns.parse().unwrap()),
        ..ListOptions::default()
    };
    let cats = &[("a b.png", "tabby, cat"), ("c.png", "dog")][..];
    for (name, text, options, expected) in [
        (
            "1.csv",
            "image,label\na b.png,\"tabby, cat\"\nc.png,dog\n",
            ListOptions::default(),
            cats,
        ),
        (
            "2.tsv",
            "class\tx\tfilename\r\ntabby, cat\t1\ta b.png\r\ndog\t2\tc.png\r\n",
            ListOptions::default(),
            cats,
        ),
        (
            "3.txt",
            "\"a b.png\",\"tabby, cat\"\n\"c.png\",dog\n",
            ListOptions::default(),
            cats,
        ),
        (
            "4.txt",
            "filename,label\na b.png,\"tabby, cat\"\nc.png,dog",
            ListOptions::default(),
            cats,
        ),
        (
            "5.csv",
            "n,what,kind\n1,a b.png,\"tabby, cat\"\n2,c.png,dog\n",
            columns("what,kind"),
            cats,
        ),
        ("6.csv", "dog,7,c.png\n", columns("3,1"), &[("c.png", "dog")]),
        (
            "labels.csv",
            "id,breed\n000bec,boston_bull\n",
            ListOptions::default(),
            &[("train/000bec.png", "boston_bull")],
        ),
        (
            "8.csv",
            "c.png\na b.png\n",
            ListOptions::default(),
            &[("c.png", "-"), ("a b.png", "-")],
        ),
    ] {
        let list = write(dir.path(), name, text.as_bytes());
        assert_eq!(open(&list, &options), pairs(expected), "{name}");
    }
    // No column of classes is known: said, with the columns.
    let list = write(dir.path(), "skin.csv", b"image,MEL,NV\nc.png,1,0\na b.png,0,1\n");
    let set = FileList::open(&list, None, 3).unwrap();
    assert!(
        set.notes()[0].contains("MEL, NV") && set.notes()[0].contains("data.columns"),
        "{:?}",
        set.notes()
    );
    let list = write(dir.path(), "none.csv", b"who,what\nann,7\n");
    let error = FileList::open(&list, None, 3).unwrap_err().to_string();
    assert!(
        error.contains("none.csv") && error.contains("data.columns") && !error.contains('\n'),
        "{error}"
    );
}

#[test]
fn groups_of_a_table_are_those_of_its_images() {
    let dir = folder(&["1.png", "2.png", "3.png", "4.png"]);
    let list = write(
        dir.path(),
        "t.csv",
        b"patient_id,image,label\nann,1.png,x\nbob,2.png,y\nann,3.png,x\n,4.png,y\n",
    );
    let set = FileList::open(&list, None, 3).unwrap();
    let groups: Vec<_> = (0..4).map(|index| set.group(index).unwrap()).collect();
    assert_eq!(
        (groups[0], groups[1] != groups[0], groups[3] != groups[1]),
        (groups[2], true, true)
    );
}

#[test]
fn a_bad_line_is_skipped_and_counted_or_refused_by_its_number() {
    let dir = folder(&["a.png", "b.png"]);
    for (text, line) in [
        ("a.png cat\nnot an image at all\nb.png dog\ngone.png cat\n", 2),
        ("a.png cat\nb.png dog\ngone.png cat\nalso/gone.png dog\n", 3),
        ("a.png cat\nb.png dog\n\0\nx\n", 3),
        ("image,label\na.png,cat\n,dog\nb.png,dog\ngone.png,dog\n", 3),
    ] {
        let list = write(dir.path(), "list.txt", text.as_bytes());
        let error = FileList::open(&list, None, 3).unwrap_err().to_string();
        assert!(
            error.contains(&format!("line {line}")) && !error.contains('\n'),
            "{error}"
        );
        let set = FileList::open_with(&list, &skipping()).unwrap();
        assert_eq!(of(&set), pairs(&[("a.png", "cat"), ("b.png", "dog")]), "{text}");
        assert_eq!(set.left_out().count(&LeftOutReason::BadLine), 2, "{text}");
        assert!(
            set.left_out().to_string().contains(&format!("line {line}")),
            "{}",
            set.left_out()
        );
        let options = OpenOptions {
            bad_images: BadImages::Skip,
            ..OpenOptions::default()
        };
        let splits = Splits::open(&list, &options).unwrap();
        assert_eq!(splits.left_out.count(&LeftOutReason::BadLine), 2);
    }
    // Lines without a class among those with one.
    let list = write(dir.path(), "list.txt", b"a.png cat\nb.png\n");
    assert_eq!(open(&list, &skipping()), pairs(&[("a.png", "cat")]));
    // Nothing but bad lines is an error all the same.
    let list = write(dir.path(), "list.txt", b"x.png\ny.png\n");
    assert!(matches!(
        FileList::open_with(&list, &skipping()),
        Err(DataError::List(_))
    ));
}
