//! Annotation files, checked: every object belongs to a known image and category and has a box within the image.
//!
//! This file must not touch the disk.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Component, Path};

use super::format::{Annotation, File, Image, RunCounts, Segmentation};
use super::problems::{CocoProblem, CocoProblems};

/// The content of an annotation file.
#[derive(Debug, Clone, PartialEq)]
pub struct CocoAnnotations {
    /// Images by id, ascending: the order of COCO's evaluation.
    pub images: Vec<CocoImage>,
    /// Categories by id, ascending: the number of a category is its position.
    pub categories: Vec<CocoCategory>,
    /// What was wrong.
    pub problems: CocoProblems,
}

/// A category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CocoCategory {
    /// Its id in the file, for result files.
    pub id: i64,
    /// Its name, never empty, without control characters.
    pub name: String,
}

/// An image with its objects.
#[derive(Debug, Clone, PartialEq)]
pub struct CocoImage {
    /// Its id in the file, for result files.
    pub id: i64,
    /// Its path below the folder of images: relative, never leaving it.
    pub file_name: String,
    /// Height and width in pixels as annotated, at least 1 each.
    pub size: [usize; 2],
    /// Its objects, in the file's order.
    pub objects: Vec<CocoObject>,
}

/// An object.
#[derive(Debug, Clone, PartialEq)]
pub struct CocoObject {
    /// Its id in the file; 0 if it has none.
    pub id: i64,
    /// Number of its category.
    pub category: usize,
    /// x1, y1, x2, y2 in pixels, within the image, of positive area.
    pub corners: [f32; 4],
    /// Its annotated area in pixels, or that of its box within the image.
    pub area: f64,
    /// A group of objects, which does not train.
    pub crowd: bool,
    /// Its outline: polygons of at least three points each, or runs of the image's size.
    pub segmentation: Option<Segmentation>,
}

/// Reads an annotation file from memory.
///
/// # Errors
/// As [`read_coco`].
pub fn parse_coco(bytes: &[u8]) -> Result<CocoAnnotations, String> {
    checked(serde_json::from_slice(bytes).map_err(one_line)?)
}

/// Reads an annotation file value by value; what is not needed is not stored.
///
/// # Errors
/// A one-line error: not JSON, not COCO's format, no image or no category, an id that is there twice, an image without pixels or with a path
/// that leaves the folder. Mistakes in single objects are counted in [`CocoAnnotations::problems`].
pub fn read_coco(reader: impl Read) -> Result<CocoAnnotations, String> {
    checked(serde_json::from_reader(reader).map_err(one_line)?)
}

/// Longest part of a file's own text in an error, in characters.
const MAX_QUOTED: usize = 200;

fn one_line(error: serde_json::Error) -> String {
    shortened(&error.to_string().replace(char::is_control, " "))
}

/// The beginning of a text, if it is long.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn checked(file: File) -> Result<CocoAnnotations, String> {
    if file.images.is_empty() {
        return Err("it lists no images".into());
    }
    if file.categories.is_empty() {
        return Err("it lists no categories".into());
    }
    let mut categories: Vec<CocoCategory> = Vec::with_capacity(file.categories.len());
    for category in file.categories {
        if category.name.is_empty() || category.name.chars().any(char::is_control) {
            return Err(format!("category {} has no name of printable characters", category.id));
        }
        categories.push(CocoCategory {
            id: category.id,
            name: category.name,
        });
    }
    categories.sort_by_key(|category| category.id);
    if let Some(pair) = categories.windows(2).find(|pair| pair[0].id == pair[1].id) {
        return Err(format!("the category id {} is there twice", pair[0].id));
    }
    let mut images = file.images.into_iter().map(image).collect::<Result<Vec<_>, _>>()?;
    images.sort_by_key(|image| image.id);
    if let Some(pair) = images.windows(2).find(|pair| pair[0].id == pair[1].id) {
        return Err(format!("the image id {} is there twice", pair[0].id));
    }
    let places: HashMap<i64, usize> = images.iter().enumerate().map(|(at, image)| (image.id, at)).collect();
    let mut problems = CocoProblems::default();
    for annotation in file.annotations {
        let id = annotation.id;
        let Some(&place) = places.get(&annotation.image_id) else {
            problems.add(CocoProblem::UnknownImage, id);
            continue;
        };
        let category = categories.binary_search_by_key(&annotation.category_id, |category| category.id);
        let Ok(category) = category else {
            problems.add(CocoProblem::UnknownCategory, id);
            continue;
        };
        let image = &mut images[place];
        match object(annotation, category, image.size, &mut problems) {
            Ok(object) => image.objects.push(object),
            Err(problem) => problems.add(problem, id),
        }
    }
    Ok(CocoAnnotations {
        images,
        categories,
        problems,
    })
}

fn image(image: Image) -> Result<CocoImage, String> {
    let Image {
        id,
        file_name,
        height,
        width,
    } = image;
    if height == 0 || width == 0 {
        return Err(format!("image {id} has {height} x {width} pixels"));
    }
    let inside = |component| matches!(component, Component::Normal(_) | Component::CurDir);
    let control = file_name.chars().any(char::is_control);
    if file_name.is_empty() || control || !Path::new(&file_name).components().all(inside) {
        return Err(format!(
            "image {id} has the file name {}; it must be a path below the folder of images",
            shortened(&format!("{file_name:?}"))
        ));
    }
    Ok(CocoImage {
        id,
        file_name,
        size: [height as usize, width as usize],
        objects: Vec::new(),
    })
}

fn object(
    annotation: Annotation,
    category: usize,
    size: [usize; 2],
    problems: &mut CocoProblems,
) -> Result<CocoObject, CocoProblem> {
    let [x, y, width, height] = annotation.bbox.ok_or(CocoProblem::NoBox)?;
    let corners = [x, y, x + width, y + height];
    if !corners.iter().all(|corner| corner.is_finite()) {
        return Err(CocoProblem::NoBox);
    }
    let [bottom, right] = size.map(|side| side as f64);
    let within = [
        corners[0].clamp(0.0, right) as f32,
        corners[1].clamp(0.0, bottom) as f32,
        corners[2].clamp(0.0, right) as f32,
        corners[3].clamp(0.0, bottom) as f32,
    ];
    if !(within[2] > within[0] && within[3] > within[1]) {
        return Err(CocoProblem::NoArea);
    }
    if corners
        .iter()
        .zip(within)
        .any(|(corner, within)| (corner - f64::from(within)).abs() > 1.0)
    {
        problems.add(CocoProblem::Outside, annotation.id);
    }
    let segmentation = annotation.segmentation.filter(|segmentation| !is_absent(segmentation));
    let fits = segmentation
        .as_ref()
        .is_none_or(|segmentation| is_sound(segmentation, size));
    if !fits {
        problems.add(CocoProblem::BadSegmentation, annotation.id);
    }
    Ok(CocoObject {
        id: annotation.id,
        category,
        corners: within,
        area: annotation
            .area
            .filter(|area| area.is_finite() && *area >= 0.0)
            .unwrap_or_else(|| f64::from(within[2] - within[0]) * f64::from(within[3] - within[1])),
        crowd: annotation.iscrowd.is_set(),
        segmentation: segmentation.filter(|_| fits),
    })
}

/// `[]` stands for no segmentation.
fn is_absent(segmentation: &Segmentation) -> bool {
    matches!(segmentation, Segmentation::Polygons(polygons) if polygons.is_empty())
}

fn is_sound(segmentation: &Segmentation, image: [usize; 2]) -> bool {
    match segmentation {
        Segmentation::Polygons(polygons) => polygons.iter().all(|polygon| {
            let whole = polygon.len() >= 6 && polygon.len().is_multiple_of(2);
            whole && polygon.iter().all(|value| value.is_finite())
        }),
        Segmentation::Runs { size, counts } => {
            *size == image
                && match counts {
                    RunCounts::Plain(runs) => {
                        let sum = runs.iter().try_fold(0u64, |sum, &run| sum.checked_add(run));
                        sum == Some((image[0] * image[1]) as u64)
                    }
                    RunCounts::Compressed(text) => text.bytes().all(|letter| (48..112).contains(&letter)),
                }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"{"info": {"year": [1, {"a": null}]}, "licenses": [],
        "images": [{"id": 9, "file_name": "b/2.jpg", "height": 40, "width": 60, "coco_url": "x"},
                   {"id": 4, "file_name": "1.jpg", "height": 10, "width": 20}],
        "categories": [{"id": 7, "name": "dog", "supercategory": "animal"}, {"id": 3, "name": "cat"}],
        "annotations": ["#;

    fn parsed(annotations: &str) -> CocoAnnotations {
        let text = format!("{HEAD}{annotations}]}}");
        let parsed = parse_coco(text.as_bytes()).unwrap();
        assert_eq!(read_coco(text.as_bytes()).unwrap(), parsed);
        parsed
    }

    #[test]
    fn images_and_categories_are_in_the_order_of_their_ids() {
        let found = parsed(
            r#"{"id": 1, "image_id": 9, "category_id": 7, "bbox": [1, 2, 30.5, 20], "area": 99.5, "iscrowd": 0,
                "segmentation": [[1, 2, 31.5, 2, 31.5, 22]]},
               {"id": 2, "image_id": 4, "category_id": 3, "bbox": [0, 0, 20, 10], "iscrowd": 1,
                "segmentation": {"size": [10, 20], "counts": [100, 60, 40]}},
               {"image_id": 9, "category_id": 3, "bbox": [0, 0, 4, 5], "iscrowd": true,
                "segmentation": {"size": [40, 60], "counts": "0hm2"}, "caption": "x"}"#,
        );
        assert!(found.problems.is_empty() && found.problems.to_string().is_empty());
        let ids: Vec<i64> = found.images.iter().map(|image| image.id).collect();
        assert_eq!(ids, [4, 9]);
        assert_eq!(
            found
                .categories
                .iter()
                .map(|category| category.name.as_str())
                .collect::<Vec<_>>(),
            ["cat", "dog"]
        );
        let [first, second] = &found.images[1].objects[..] else {
            panic!()
        };
        assert_eq!(
            (first.category, first.corners, first.area),
            (1, [1.0, 2.0, 31.5, 22.0], 99.5)
        );
        assert!(!first.crowd && matches!(first.segmentation, Some(Segmentation::Polygons(_))));
        assert_eq!(
            (second.id, second.category, second.area, second.crowd),
            (0, 0, 20.0, true)
        );
        let crowd = &found.images[0].objects[0];
        assert!(crowd.crowd && matches!(crowd.segmentation, Some(Segmentation::Runs { .. })));
    }

    #[test]
    fn mistakes_are_counted_and_reported_in_one_line() {
        let found = parsed(
            r#"{"id": 1, "image_id": 5, "category_id": 7, "bbox": [1, 2, 3, 4]},
               {"id": 2, "image_id": 9, "category_id": 8, "bbox": [1, 2, 3, 4]},
               {"id": 3, "image_id": 9, "category_id": 7},
               {"id": 4, "image_id": 9, "category_id": 7, "bbox": [1, 2, 0, 4]},
               {"id": 5, "image_id": 9, "category_id": 7, "bbox": [100, 2, 5, 4]},
               {"id": 6, "image_id": 9, "category_id": 7, "bbox": [50, 30, 20, 20]},
               {"id": 7, "image_id": 9, "category_id": 7, "bbox": [1, 1, 5, 5], "segmentation": [[1, 2, 3, 4]]},
               {"id": 8, "image_id": 9, "category_id": 7, "bbox": [1, 1, 5, 5],
                "segmentation": {"size": [40, 60], "counts": [1, 2]}},
               {"id": 9, "image_id": 9, "category_id": 7, "bbox": [59.5, 39, 1, 1], "segmentation": []}"#,
        );
        assert_eq!(
            CocoProblem::ALL.map(|problem| found.problems.count(problem)),
            [1, 1, 1, 2, 1, 2]
        );
        assert_eq!(
            found.problems.to_string(),
            "1 object of an image that is not in the file (skipped; first: annotation 1), \
             1 object of a category that is not in the file (skipped; first: annotation 2), \
             1 object without a box of four numbers (skipped; first: annotation 3), \
             2 objects whose box has no area within the image (skipped; first: annotation 4), \
             1 object whose box reaches out of the image (cut at the border; first: annotation 6), \
             2 objects with a damaged segmentation (dropped, the box remains; first: annotation 7)"
        );
        let objects = &found.images[1].objects;
        assert_eq!(objects.iter().map(|object| object.id).collect::<Vec<_>>(), [6, 7, 8, 9]);
        assert_eq!(objects[0].corners, [50.0, 30.0, 60.0, 40.0]);
        assert!(objects.iter().all(|object| object.segmentation.is_none()));
    }

    #[test]
    fn files_that_cannot_be_used_are_one_line() {
        let image = |image: &str| format!(r#"{{"images": [{image}], "categories": [{{"id": 1, "name": "a"}}]}}"#);
        let cases = [
            ("".to_owned(), "EOF"),
            ("[1, 2".to_owned(), "line 1"),
            (r#"{"images": []}"#.to_owned(), "missing field `categories`"),
            (r#"{"images": [], "categories": []}"#.to_owned(), "no images"),
            (image(r#"{"id": "1", "file_name": "a", "height": 1, "width": 1}"#), "invalid type"),
            (image(r#"{"id": 1, "file_name": "a", "height": 0, "width": 1}"#), "0 x 1 pixels"),
            (image(r#"{"id": 1, "file_name": "../a", "height": 1, "width": 1}"#), "below the folder"),
            (image(r#"{"id": 1, "file_name": "/a", "height": 1, "width": 1}"#), "below the folder"),
            (
                image(
                    r#"{"id": 1, "file_name": "a", "height": 1, "width": 1}, {"id": 1, "file_name": "b", "height": 1, "width": 1}"#,
                ),
                "twice",
            ),
            (
                r#"{"images": [{"id": 1, "file_name": "a", "height": 1, "width": 1}], "categories": [{"id": 1, "name": ""}]}"#
                    .to_owned(),
                "no name",
            ),
        ];
        for (text, expected) in cases {
            let error = parse_coco(text.as_bytes()).unwrap_err();
            assert!(error.contains(expected) && !error.contains('\n'), "{text}: {error}");
        }
    }
}
