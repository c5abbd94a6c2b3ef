//! Tests of Pascal VOC sets: images of several classes, their boxes, and the one-line error for each way a set can be
//! wrong.

use crate::common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use barlow_augment::encode_png;
use barlow_data::{
    BadImages, BoundingBox, DataError, DataFormat, DecodedSet, ImageSource, OpenOptions, Splits, Subset, VocError,
    VocSet,
};
use common::{image, write};
use tempfile::TempDir;

/// An object: class, whether it is difficult, corners.
type Object<'a> = (&'a str, bool, [i32; 4]);

fn xml(objects: &[Object<'_>]) -> String {
    let objects = objects.iter().map(|(name, difficult, [xmin, ymin, xmax, ymax])| {
        format!(
            "<object><name>{name}</name><truncated>1</truncated><difficult>{}</difficult><bndbox><xmin>{xmin}</xmin>\
             <ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox></object>",
            u8::from(*difficult)
        )
    });
    format!(
        "<annotation><filename>x.jpg</filename>{}</annotation>",
        objects.collect::<String>()
    )
}

fn add(root: &Path, id: &str, seed: usize, objects: &[Object<'_>]) {
    write(
        root,
        &format!("JPEGImages/{id}.png"),
        &encode_png(&image(seed)).unwrap(),
    );
    write(root, &format!("Annotations/{id}.xml"), xml(objects).as_bytes());
}

fn list(root: &Path, split: &str, ids: &str) {
    write(root, &format!("ImageSets/Main/{split}.txt"), ids.as_bytes());
}

const BOX: [i32; 4] = [1, 2, 5, 6];

/// Three training images (one holds both classes, one nothing clear) and one for validation, in `DIR/VOCdevkit/VOC2007`.
fn voc() -> (TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("VOCdevkit/VOC2007");
    add(
        &root,
        "a",
        0,
        &[("dog", false, BOX), ("cat", false, [3, 3, 3, 3]), ("dog", false, BOX)],
    );
    add(&root, "b", 1, &[("cat", true, BOX)]);
    add(&root, "c", 2, &[]);
    add(&root, "d", 3, &[("dog", false, BOX), ("dog", true, BOX)]);
    list(&root, "train", "c\r\na\r\n\r\nb\r\n");
    list(&root, "val", "d\n");
    (dir, root)
}

fn open_error(root: &Path) -> VocError {
    match VocSet::open(root, "train", 3) {
        Err(DataError::Voc(error)) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            error
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn labels_are_the_classes_with_a_clear_object_and_boxes_are_all() {
    let (dir, root) = voc();
    // From two levels above, one, and none.
    for path in [dir.path().to_owned(), dir.path().join("VOCdevkit"), root.clone()] {
        let set = VocSet::open(path, "train", 3).unwrap();
        assert_eq!(set.root(), root);
        assert_eq!(set.classes(), ["cat", "dog"]);
        let names: Vec<String> = (0..3).map(|index| set.name(index)).collect();
        assert_eq!(names, ["JPEGImages/c.png", "JPEGImages/a.png", "JPEGImages/b.png"]);
        assert_eq!(
            [set.labels(0), set.labels(1), set.labels(2)],
            [vec![], vec![0, 1], vec![]]
        );
        assert_eq!([set.difficult_only(1), set.difficult_only(2)], [vec![], vec![0]]);
        assert!((0..3).all(|index| set.label(index).is_none()));
        assert_eq!(
            set.boxes(1)[0],
            BoundingBox {
                class: 1,
                xmin: 1.0,
                ymin: 2.0,
                xmax: 5.0,
                ymax: 6.0,
                difficult: false,
                truncated: true
            }
        );
        let degenerate: Vec<bool> = set.boxes(1).iter().map(BoundingBox::is_degenerate).collect();
        assert_eq!(degenerate, [false, true, false]);
        assert!(set.boxes(0).is_empty() && set.boxes(2)[0].difficult);
        assert_eq!(set.image(1).unwrap().pixels(), image(0).pixels());
        let item = |index| burn_dataset::Dataset::get(&set, index).unwrap().unwrap();
        assert_eq!(item(2).image.pixels(), image(1).pixels());
        assert_eq!((item(1).label, item(1).labels), (None, vec![0, 1]));
    }
}

#[test]
fn labels_of_several_classes_go_through_subsets_and_memory() {
    let (dir, _) = voc();
    let set: Arc<dyn ImageSource> = Arc::new(VocSet::open(dir.path(), "train", 1).unwrap());
    let subset = Subset::new(Arc::clone(&set), vec![1, 0]);
    let memory = DecodedSet::load(&subset, BadImages::Error, 2).unwrap();
    for source in [&subset as &dyn ImageSource, &memory] {
        assert_eq!([source.labels(0), source.labels(1)], [vec![0, 1], vec![]]);
        assert_eq!((source.channels(), source.label(0)), (1, None));
        assert_eq!(source.image(0).unwrap().channels(), 1);
    }
}

#[test]
fn splits_take_the_lists_that_are_there() {
    let open = |root: &Path| {
        let splits = Splits::open(root, &OpenOptions::default()).unwrap();
        assert_eq!(splits.format, DataFormat::Voc);
        (splits.train.len(), splits.test.map(|test| test.len()))
    };
    let (dir, root) = voc();
    assert_eq!(open(dir.path()), (3, Some(1)));
    list(&root, "trainval", "a\nb\nc\nd\n");
    assert_eq!(open(dir.path()), (3, Some(1)), "trainval holds val");
    list(&root, "test", "d\nc\n");
    assert_eq!(open(dir.path()), (4, Some(2)));
    for split in ["train", "val", "test"] {
        fs::remove_file(root.join(format!("ImageSets/Main/{split}.txt"))).unwrap();
    }
    assert_eq!(open(dir.path()), (4, None));
    fs::remove_dir_all(root.join("ImageSets")).unwrap();
    assert_eq!(open(dir.path()), (4, None), "without lists all are for training");
}

#[test]
fn test_classes_count_in_the_training_classes() {
    let (dir, root) = voc();
    let test = Splits::open(dir.path(), &OpenOptions::default()).unwrap().test.unwrap();
    // "dog" is the only class of `val` and the second of `train`.
    assert_eq!((test.labels(0), test.classes().len()), (vec![1], 2));
    add(&root, "d", 3, &[("owl", false, BOX)]);
    let error = Splits::open(dir.path(), &OpenOptions::default()).unwrap_err();
    assert!(
        matches!(&error, DataError::UnknownClass { class, .. } if class == "owl"),
        "{error}"
    );
}

#[test]
fn what_is_missing_or_wrong_is_named_in_one_line() {
    let (_dir, root) = voc();
    list(&root, "train", "a\n\nnope\n");
    assert!(matches!(open_error(&root), VocError::MissingImage { line: 3, id, .. } if id == "nope"));
    list(&root, "train", "\n");
    assert!(matches!(open_error(&root), VocError::EmptyList { .. }));
    fs::remove_file(root.join("ImageSets/Main/train.txt")).unwrap();
    assert!(matches!(open_error(&root), VocError::MissingList { path } if path.ends_with("Main/train.txt")));
    list(&root, "train", "a\nb\n");
    let annotation = root.join("Annotations/b.xml");
    fs::write(&annotation, "<annotation><object>").unwrap();
    assert!(matches!(open_error(&root), VocError::BadAnnotation { path, .. } if path == annotation));
    let huge = fs::File::create(&annotation).unwrap();
    huge.set_len(17 << 20).unwrap();
    assert!(matches!(open_error(&root), VocError::BadAnnotation { reason, .. } if reason.contains("limit")));
    fs::remove_file(&annotation).unwrap();
    assert!(matches!(open_error(&root), VocError::MissingAnnotation { path } if path == annotation));
}

#[test]
fn no_set_and_several_sets_are_told() {
    let photos = common::two_classes(1);
    assert!(matches!(open_error(photos.path()), VocError::NotVoc { .. }));
    let missing = VocSet::open(photos.path().join("no"), "train", 3).unwrap_err();
    assert!(matches!(missing, DataError::MissingFolder { .. }));
    let (dir, root) = voc();
    let other = root.with_file_name("VOC2012");
    add(&other, "a", 0, &[]);
    let error = open_error(dir.path());
    assert!(
        matches!(&error, VocError::Several { first, second, .. } if *first == root && *second == other),
        "{error}"
    );
    // The format is still detected.
    assert_eq!(barlow_data::detect(dir.path()).unwrap(), DataFormat::Voc);
}

#[test]
fn the_twenty_classes_of_voc_come_in_its_own_order() {
    // In the order of the development kit.
    const CLASSES: [&str; 20] = [
        "aeroplane",
        "bicycle",
        "bird",
        "boat",
        "bottle",
        "bus",
        "car",
        "cat",
        "chair",
        "cow",
        "diningtable",
        "dog",
        "horse",
        "motorbike",
        "person",
        "pottedplant",
        "sheep",
        "sofa",
        "train",
        "tvmonitor",
    ];
    let dir = tempfile::tempdir().unwrap();
    let objects: Vec<Object<'_>> = CLASSES.iter().rev().map(|class| (*class, false, BOX)).collect();
    add(dir.path(), "a", 0, &objects);
    list(dir.path(), "train", "a");
    assert_eq!(VocSet::open(dir.path(), "train", 3).unwrap().classes(), CLASSES);
}

#[test]
fn the_shipped_blood_cells_are_read_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/bccd-mini-24");
    let splits = Splits::open(&root, &OpenOptions::default()).unwrap();
    let test = splits.test.unwrap();
    assert_eq!((splits.train.len(), test.len()), (16, 8));
    assert_eq!(splits.train.classes(), ["Platelets", "RBC", "WBC"]);
    let platelets = |set: &dyn ImageSource| (0..set.len()).filter(|&index| set.labels(index).contains(&0)).count();
    assert_eq!(platelets(&*splits.train) + platelets(&*test), 12);
    let image = test.image(7).unwrap();
    assert_eq!((image.width(), image.height(), image.channels()), (640, 480, 3));
    let set = VocSet::open(&root, "test", 3).unwrap();
    for index in 0..set.len() {
        assert!(
            set.boxes(index)
                .iter()
                .all(|object| !object.is_degenerate() && object.xmax <= 640.0)
        );
    }
}
