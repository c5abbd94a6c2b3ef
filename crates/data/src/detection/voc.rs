//! A part of a Pascal VOC set: the images that a list names, with the boxes of their annotations.
//!
//! VOC counts pixels from 1 and includes both edges: its left and upper edges lose 1 here, which makes boxes half-open.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{DetectionError, DetectionImage, DetectionObject, DetectionProblem, DetectionProblems};
use crate::voc::{AnnotatedObject, Annotation, VocError, find_voc, image_files, list_file, read_annotation, read_ids};
use crate::{DataError, read::file_stamp};

/// Lists of a VOC set, in `ImageSets/Main`.
pub(super) fn splits(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(list_file(root, "x").parent().unwrap_or(root));
    let names = entries.into_iter().flatten().flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some(name.strip_suffix(".txt")?.to_owned())
    });
    // Those of single classes are named after a class and a split.
    let mut names: Vec<String> = names.filter(|name| !name.contains('_')).collect();
    names.sort();
    names
}

/// The root and the list of a part `NAME` or `FOLDER/NAME`.
fn located(root: &Path, part: &str) -> Result<(PathBuf, String), DetectionError> {
    let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
    let voc = find_voc(&root.join(folder))?;
    if list_file(&voc, name).is_file() {
        return Ok((voc, name.to_owned()));
    }
    Err(DetectionError::UnknownPart {
        path: root.into(),
        name: part.to_owned(),
        found: splits(&voc).join(", "),
    })
}

/// An image with the names of its objects' classes, whose numbers are still 0.
type Named = (DetectionImage, Vec<String>);

/// An image of a part, and what was wrong with it.
type Read = (Option<Named>, DetectionProblems);

/// The images of a part, and what was wrong.
pub(super) fn read_part(root: &Path, part: &str) -> Result<(Vec<Named>, DetectionProblems), DetectionError> {
    let (voc, name) = located(root, part)?;
    let ids = read_ids(&list_file(&voc, &name))?;
    let files = image_files(&voc)?;
    let read: Vec<Result<Read, DataError>> = ids
        .par_iter()
        .map(|(line, id)| read_image(&voc, &files, *line, id))
        .collect();
    let (mut images, mut problems) = (Vec::new(), DetectionProblems::default());
    for read in read {
        let (image, of_image) = read?;
        images.extend(image);
        problems.extend(of_image);
    }
    if images.is_empty() {
        return Err(DetectionError::NoImages {
            path: root.into(),
            name: part.to_owned(),
            listed: ids.len(),
            problem: problems.lines().into_iter().next().unwrap_or_default(),
        });
    }
    Ok((images, problems))
}

fn read_image(voc: &Path, files: &HashMap<OsString, OsString>, line: usize, id: &str) -> Result<Read, DataError> {
    let mut problems = DetectionProblems::default();
    let Some(file) = files.get(OsStr::new(id)) else {
        problems.add(DetectionProblem::MissingImage, || id.to_owned());
        return Ok((None, problems));
    };
    let path = voc.join("Annotations").join(format!("{id}.xml"));
    let annotation = match read_annotation(&path) {
        Ok(annotation) => annotation,
        Err(DataError::Voc(VocError::MissingAnnotation { .. })) => {
            problems.add(DetectionProblem::MissingAnnotation, || id.to_owned());
            return Ok((None, problems));
        }
        Err(DataError::Voc(VocError::BadAnnotation { path, reason })) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            problems.add(DetectionProblem::BadAnnotation, || format!("{name}: {reason}"));
            return Ok((None, problems));
        }
        Err(error) => return Err(error),
    };
    let image_path = voc.join("JPEGImages").join(file);
    // An empty file is no image either.
    if file_stamp(&image_path)[0] == 0 {
        problems.add(DetectionProblem::MissingImage, || id.to_owned());
        return Ok((None, problems));
    }
    let size = annotation_size(&annotation);
    let (mut objects, mut names) = (Vec::new(), Vec::new());
    for (number, object) in annotation.objects.iter().enumerate() {
        let place = || format!("{id}.xml, object {}", number + 1);
        match detection_object(object, size, place, &mut problems) {
            Some(found) => {
                objects.push(found);
                names.push(object.name.clone());
            }
            None => problems.add(DetectionProblem::NoArea, place),
        }
    }
    let image = DetectionImage {
        name: format!("JPEGImages/{}", file.to_string_lossy()),
        path: image_path,
        id: line as i64,
        // Annotated sizes of custom sets are often wrong, and the boxes right: the decoded image decides.
        size: None,
        objects,
    };
    Ok((Some((image, names)), problems))
}

/// Height and width, if the annotation has them.
fn annotation_size(annotation: &Annotation) -> Option<[usize; 2]> {
    let (width, height) = annotation.size?;
    (width > 0 && height > 0).then_some([height as usize, width as usize])
}

/// `None` if the box has no area within the image.
fn detection_object(
    object: &AnnotatedObject,
    size: Option<[usize; 2]>,
    place: impl Fn() -> String,
    problems: &mut DetectionProblems,
) -> Option<DetectionObject> {
    let [xmin, ymin, xmax, ymax] = object.corners;
    // The slip of an annotator who clicked twice; as a box of one pixel nobody could find it.
    if !(xmax > xmin && ymax > ymin) {
        return None;
    }
    let given = [xmin - 1.0, ymin - 1.0, xmax, ymax];
    let [height, width] = size.map_or([f32::MAX; 2], |size| size.map(|side| side as f32));
    let [x1, y1, x2, y2] = [
        given[0].clamp(0.0, width),
        given[1].clamp(0.0, height),
        given[2].clamp(0.0, width),
        given[3].clamp(0.0, height),
    ];
    if !(x2 > x1 && y2 > y1) {
        return None;
    }
    // Sets that count from 0 are off by one pixel.
    if given
        .iter()
        .zip([x1, y1, x2, y2])
        .any(|(given, cut)| (given - cut).abs() > 1.0)
    {
        problems.add(DetectionProblem::Outside, place);
    }
    Some(DetectionObject {
        class: 0,
        corners: [x1, y1, x2, y2],
        area: f64::from(x2 - x1) * f64::from(y2 - y1),
        difficult: object.difficult,
        crowd: false,
        outline: None,
    })
}

/// All class names of images, sorted: VOC's own order.
pub(super) fn class_names<'a>(images: impl IntoIterator<Item = &'a Named>) -> Vec<String> {
    let names: BTreeSet<&str> = images
        .into_iter()
        .flat_map(|(_, names)| names.iter().map(String::as_str))
        .collect();
    names.into_iter().map(str::to_owned).collect()
}

/// The images with the numbers of their objects' classes; objects of other classes are dropped and counted.
pub(super) fn numbered(
    images: Vec<Named>,
    classes: &[String],
    problems: &mut DetectionProblems,
) -> Vec<DetectionImage> {
    let numbered = images.into_iter().map(|(mut image, names)| {
        let objects = std::mem::take(&mut image.objects);
        for (mut object, name) in objects.into_iter().zip(names) {
            match classes.binary_search(&name) {
                Ok(class) => {
                    object.class = class;
                    image.objects.push(object);
                }
                Err(_) => problems.add(DetectionProblem::UnknownClass, || format!("{name} in {}", image.name)),
            }
        }
        image
    });
    numbered.collect()
}
