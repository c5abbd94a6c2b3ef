//! Tests of sets for detection: both layouts give the same objects, and every kind of mistake is one line with a count.

use crate::common;

use std::fs;
use std::path::Path;

use barlow_augment::{RgbImage8, encode_png};
use barlow_data::{
    DataError, DetectionError, DetectionLayout, DetectionParts, DetectionProblem, DetectionSet, Segmentation,
    open_detection,
};
use common::write;

fn picture() -> Vec<u8> {
    encode_png(&RgbImage8::from_fn(40, 30, |x, y| [x as u8, y as u8, 9])).unwrap()
}

fn xml(objects: &str) -> Vec<u8> {
    let size = "<size><width>40</width><height>30</height></size>";
    format!("<annotation>{size}{objects}</annotation>").into_bytes()
}

fn object(name: &str, [x1, y1, x2, y2]: [i32; 4], difficult: u8) -> String {
    format!(
        "<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>\
         <xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
    )
}

fn voc(root: &Path, id: &str, objects: &str) {
    write(root, &format!("JPEGImages/{id}.png"), &picture());
    write(root, &format!("Annotations/{id}.xml"), &xml(objects));
}

/// Problems with their counts.
fn counts(set: &DetectionSet) -> Vec<(DetectionProblem, usize)> {
    use DetectionProblem::*;
    let all = [
        MissingImage,
        MissingAnnotation,
        BadAnnotation,
        UnknownImage,
        UnknownClass,
        NoBox,
        NoArea,
        Outside,
        BadMask,
    ];
    all.into_iter()
        .map(|problem| (problem, set.problems.count(problem)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

#[test]
fn voc_is_read_part_by_part_with_every_mistake_counted() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("BCCD");
    voc(
        &root,
        "a",
        &[
            object("dog", [1, 2, 10, 12], 0),
            object("cat", [5, 5, 5, 5], 0),
            object("cat", [30, 20, 60, 45], 1),
            object("dog", [0, 1, 40, 30], 0),
            object("dog", [50, 50, 60, 60], 0),
        ]
        .concat(),
    );
    voc(&root, "b", &object("cat", [3, 3, 9, 9], 0));
    voc(
        &root,
        "t",
        &(object("cat", [1, 1, 8, 8], 0) + &object("owl", [1, 1, 8, 8], 0)),
    );
    write(&root, "JPEGImages/no-xml.png", &picture());
    write(&root, "JPEGImages/broken.png", &picture());
    write(&root, "Annotations/broken.xml", b"<annotation><object>");
    write(&root, "JPEGImages/empty.png", b"");
    write(&root, "Annotations/empty.xml", &xml(""));
    write(
        &root,
        "ImageSets/Main/trainval.txt",
        b"a\nb\ngone\nno-xml\nbroken\nempty\n",
    );
    write(&root, "ImageSets/Main/train.txt", b"a\n");
    write(&root, "ImageSets/Main/test.txt", b"t\n");
    let sets = open_detection(dir.path(), &DetectionParts::default(), 3).unwrap();
    assert_eq!(sets.layout, DetectionLayout::Voc);
    assert_eq!(
        (&sets.parts.train[..], sets.parts.test.as_deref()),
        (&["trainval".to_owned()][..], Some("test"))
    );
    assert_eq!(sets.train.classes, ["cat", "dog"]);
    let [a, b] = &sets.train.images[..] else { panic!() };
    assert_eq!(
        (a.name.as_str(), b.name.as_str()),
        ("JPEGImages/a.png", "JPEGImages/b.png")
    );
    let boxes: Vec<_> = a.objects.iter().map(|o| (o.class, o.corners, o.difficult)).collect();
    assert_eq!(
        boxes,
        [
            (1, [0.0, 1.0, 10.0, 12.0], false),
            (0, [29.0, 19.0, 40.0, 30.0], true),
            // Counted from 0 by its annotator: one pixel is no mistake worth a line.
            (1, [0.0, 0.0, 40.0, 30.0], false),
        ]
    );
    use DetectionProblem::*;
    assert_eq!(
        counts(&sets.train),
        [
            (MissingImage, 2),
            (MissingAnnotation, 1),
            (BadAnnotation, 1),
            (NoArea, 2),
            (Outside, 1)
        ]
    );
    assert_eq!(
        sets.train.problems.lines(),
        [
            "2 images that are not there (skipped; first: gone)",
            "1 image without an annotation file (skipped; first: no-xml)",
            "1 annotation file that cannot be read (their images are skipped; first: broken.xml: it ends within <object>)",
            "2 objects whose box has no area within the image (skipped; first: a.xml, object 2)",
            "1 object whose box reaches out of the image (cut at the border; first: a.xml, object 3)",
        ]
    );
    assert_eq!(counts(&sets.test), [(UnknownClass, 1)]);
    assert_eq!(
        sets.test.problems.lines(),
        ["1 object of classes that the training annotations do not have (skipped; first: owl in JPEGImages/t.png)"]
    );
    assert_eq!((sets.test.objects(), sets.test.classes.len()), (1, 2));
    let image = sets.train.decode(0).unwrap();
    assert_eq!((image.height(), image.width()), (30, 40));
}

#[test]
fn several_years_are_joined_by_their_names() {
    let dir = tempfile::tempdir().unwrap();
    for (year, class) in [("VOC2007", "dog"), ("VOC2012", "ant")] {
        let root = dir.path().join("VOCdevkit").join(year);
        voc(&root, "x", &object(class, [1, 1, 8, 8], 0));
        write(&root, "ImageSets/Main/trainval.txt", b"x\n");
        write(&root, "ImageSets/Main/test.txt", b"x\n");
    }
    let root = dir.path().join("VOCdevkit");
    let parts = DetectionParts {
        train: vec!["VOC2007/trainval".into(), "VOC2012/trainval".into()],
        test: Some("VOC2007/test".into()),
    };
    let sets = open_detection(&root, &parts, 3).unwrap();
    assert_eq!((sets.train.images.len(), sets.test.images.len()), (2, 1));
    assert_eq!(sets.train.classes, ["ant", "dog"]);
    assert_eq!(sets.train.images[1].objects[0].class, 0);
    let error = open_detection(&root, &DetectionParts::default(), 3).unwrap_err();
    assert!(error.to_string().contains("several Pascal VOC sets"), "{error}");
    let wrong = DetectionParts {
        train: vec!["VOC2007/training".into()],
        ..parts
    };
    let error = open_detection(&root, &wrong, 3).unwrap_err();
    assert!(
        matches!(&error, DetectionError::UnknownPart { found, .. } if found == "test, trainval"),
        "{error}"
    );
}

fn json(image: &str, categories: &str, annotations: &str) -> Vec<u8> {
    let image = format!(r#"{{"id": 7, "file_name": "{image}", "height": 30, "width": 40}}"#);
    let gone = r#"{"id": 8, "file_name": "gone.png", "height": 30, "width": 40}"#;
    format!(r#"{{"images": [{image}, {gone}], "categories": [{categories}], "annotations": [{annotations}]}}"#)
        .into_bytes()
}

const CATEGORIES: &str = r#"{"id": 3, "name": "dog"}, {"id": 1, "name": "cat"}"#;

#[test]
fn coco_is_read_with_masks_and_crowds_and_every_mistake_counted() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, "train2017/a.png", &picture());
    write(root, "val2017/v.png", &picture());
    let train = r#"
        {"id": 1, "image_id": 7, "category_id": 3, "bbox": [0, 1, 10, 11], "area": 55, "segmentation": [[0, 1, 10, 1, 10, 12]]},
        {"id": 2, "image_id": 7, "category_id": 1, "bbox": [4, 4, 6, 6], "iscrowd": 1, "segmentation": {"size": [30, 40], "counts": [1000, 50, 150]}},
        {"id": 3, "image_id": 7, "category_id": 9, "bbox": [4, 4, 6, 6]},
        {"id": 4, "image_id": 7, "category_id": 1, "bbox": [30, 20, 30, 30]},
        {"id": 5, "image_id": 7, "category_id": 1, "bbox": [4, 4, 0, 6]},
        {"id": 6, "image_id": 70, "category_id": 1, "bbox": [4, 4, 6, 6]},
        {"id": 7, "image_id": 7, "category_id": 1},
        {"id": 8, "image_id": 7, "category_id": 1, "bbox": [4, 4, 6, 6], "segmentation": [[1, 2]]}"#;
    write(
        root,
        "annotations/instances_train2017.json",
        &json("a.png", CATEGORIES, train),
    );
    // Other categories in another order: they are matched by name.
    let categories = r#"{"id": 1, "name": "owl"}, {"id": 2, "name": "dog"}"#;
    let val = r#"{"id": 1, "image_id": 7, "category_id": 2, "bbox": [0, 1, 10, 11]},
                 {"id": 2, "image_id": 7, "category_id": 1, "bbox": [0, 1, 10, 11]}"#;
    write(
        root,
        "annotations/instances_val2017.json",
        &json("v.png", categories, val),
    );
    write(root, "annotations/captions_train2017.json", b"{}");
    let sets = open_detection(root, &DetectionParts::default(), 3).unwrap();
    assert_eq!(sets.layout, DetectionLayout::Coco);
    assert_eq!(
        (&sets.parts.train[0][..], sets.parts.test.as_deref()),
        ("train2017", Some("val2017"))
    );
    assert_eq!(sets.train.classes, ["cat", "dog"]);
    assert_eq!(sets.train.class_ids, [1, 3]);
    let objects = &sets.train.images[0].objects;
    assert_eq!(objects.len(), 4);
    assert_eq!(
        (objects[0].class, objects[0].corners, objects[0].area),
        (1, [0.0, 1.0, 10.0, 12.0], 55.0)
    );
    assert!(matches!(objects[0].outline, Some(Segmentation::Polygons(_))) && objects[1].crowd);
    assert_eq!(objects[2].corners, [30.0, 20.0, 40.0, 30.0]);
    use DetectionProblem::*;
    assert_eq!(
        counts(&sets.train),
        [
            (MissingImage, 1),
            (UnknownImage, 1),
            (UnknownClass, 1),
            (NoBox, 1),
            (NoArea, 1),
            (Outside, 1),
            (BadMask, 1)
        ]
    );
    assert!(
        sets.train
            .problems
            .lines()
            .iter()
            .all(|line| !line.contains('\n') && line.contains("first: "))
    );
    assert_eq!((sets.test.images[0].id, sets.test.images[0].objects[0].class), (7, 1));
    assert_eq!(counts(&sets.test), [(MissingImage, 1), (UnknownClass, 1)]);
    // An image of another size would not fit its boxes.
    let small = encode_png(&RgbImage8::from_fn(20, 15, |_, _| [0; 3])).unwrap();
    fs::write(root.join("train2017/a.png"), small).unwrap();
    let error = sets.train.decode(0).unwrap_err();
    assert!(
        matches!(error, DataError::SizeDiffers { .. }) && error.is_bad_image(),
        "{error}"
    );
}

#[test]
fn annotations_beside_the_images_are_found_and_folders_without_any_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let one = r#"{"id": 1, "image_id": 7, "category_id": 3, "bbox": [0, 1, 10, 11]}"#;
    for part in ["train", "valid"] {
        write(dir.path(), &format!("{part}/a.png"), &picture());
        write(
            dir.path(),
            &format!("{part}/_annotations.coco.json"),
            &json("a.png", CATEGORIES, one),
        );
    }
    let sets = open_detection(dir.path(), &DetectionParts::default(), 3).unwrap();
    assert_eq!(sets.parts.test.as_deref(), Some("valid"));
    assert_eq!(sets.train.decode(0).unwrap().width(), 40);

    let error = |root: &Path, parts: &DetectionParts| {
        let error = open_detection(root, parts, 3).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        error
    };
    let wrong = DetectionParts {
        train: vec!["training".into()],
        test: None,
    };
    let text = error(dir.path(), &wrong);
    assert!(
        text.contains("no part training") && text.contains("train, valid"),
        "{text}"
    );
    let none = tempfile::tempdir().unwrap();
    assert!(error(none.path(), &DetectionParts::default()).contains("no set for detection"));
    assert!(error(&none.path().join("x"), &DetectionParts::default()).contains("no folder"));
    fs::remove_dir_all(dir.path().join("valid")).unwrap();
    assert!(error(dir.path(), &DetectionParts::default()).contains("no test images"));
    write(
        dir.path(),
        "valid/_annotations.coco.json",
        &json("a.png", CATEGORIES, one),
    );
    assert!(error(dir.path(), &DetectionParts::default()).contains("none of the 2 images"));
    write(dir.path(), "valid/a.png", &picture());
    write(
        dir.path(),
        "train/_annotations.coco.json",
        &json("a.png", CATEGORIES, ""),
    );
    assert!(error(dir.path(), &DetectionParts::default()).contains("have no objects"));
    write(dir.path(), "train/_annotations.coco.json", b"{\"images\": 1");
    assert!(error(dir.path(), &DetectionParts::default()).contains("bad annotations"));
}
