//! A part of a set with COCO's annotation files: where its file and its images are, and its objects.

use std::path::{Path, PathBuf};

use super::{DetectionError, DetectionImage, DetectionObject, DetectionProblem, DetectionProblems};
use crate::coco::{CocoCategory, CocoObject, CocoProblem, CocoSet};

/// COCO's own prefix of annotation files with objects.
const INSTANCES: &str = "instances_";
/// The annotation file of tools that write one next to the images of each part.
const BESIDE: &str = "_annotations.coco.json";

/// The parts of a set with their annotation files, sorted by name: `annotations/instances_NAME.json`, `annotations/NAME.json`,
/// `NAME/_annotations.coco.json`. Files of captions or keypoints beside those of instances are none.
pub(super) fn parts(root: &Path) -> Vec<(String, PathBuf)> {
    let entries = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let mut listed: Vec<(String, PathBuf)> = entries(&root.join("annotations"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .collect();
    if listed.iter().any(|(name, _)| name.starts_with(INSTANCES)) {
        listed.retain(|(name, _)| name.starts_with(INSTANCES));
    }
    let beside = entries(root).into_iter().filter_map(|folder| {
        let file = folder.join(BESIDE);
        let name = folder.file_name()?.to_str()?.to_owned();
        file.is_file().then_some((name, file))
    });
    let short = |(name, path): (String, PathBuf)| (name.strip_prefix(INSTANCES).unwrap_or(&name).to_owned(), path);
    let mut parts: Vec<_> = listed.into_iter().chain(beside).map(short).collect();
    parts.sort();
    parts
}

/// The folder of a part's images: `NAME`, `images/NAME`, `images`, or the set's own.
fn image_folder(root: &Path, name: &str, annotations: &Path) -> PathBuf {
    if annotations.file_name().is_some_and(|name| name == BESIDE) {
        return annotations.parent().unwrap_or(root).to_owned();
    }
    let images = root.join("images");
    let folders = [root.join(name), images.join(name), images];
    folders
        .into_iter()
        .find(|folder| folder.is_dir())
        .unwrap_or_else(|| root.to_owned())
}

/// The part called `name`: its categories and its images; numbers of classes are those of its own categories.
pub(super) fn read_part(
    root: &Path,
    name: &str,
) -> Result<(Vec<CocoCategory>, Vec<DetectionImage>, DetectionProblems), DetectionError> {
    let parts = parts(root);
    let Some((_, file)) = parts.iter().find(|(known, _)| known == name) else {
        return Err(DetectionError::UnknownPart {
            path: root.into(),
            name: name.to_owned(),
            found: parts.iter().map(|(name, _)| &**name).collect::<Vec<_>>().join(", "),
        });
    };
    let set = CocoSet::open(file, image_folder(root, name, file))?;
    let mut problems = DetectionProblems::default();
    problems.add_many(DetectionProblem::MissingImage, set.missing(), || {
        set.first_missing().unwrap_or_default().to_owned()
    });
    let annotations = set.annotations();
    for problem in CocoProblem::ALL {
        let kind = match problem {
            CocoProblem::UnknownImage => DetectionProblem::UnknownImage,
            CocoProblem::UnknownCategory => DetectionProblem::UnknownClass,
            CocoProblem::NoBox => DetectionProblem::NoBox,
            CocoProblem::NoArea => DetectionProblem::NoArea,
            CocoProblem::Outside => DetectionProblem::Outside,
            CocoProblem::BadSegmentation => DetectionProblem::BadMask,
        };
        let found = &annotations.problems;
        problems.add_many(kind, found.count(problem), || {
            let file = file.file_name().unwrap_or_default().to_string_lossy();
            format!("{file}, annotation {}", found.first(problem).unwrap_or_default())
        });
    }
    let image = |(index, image): (usize, &crate::coco::CocoImage)| DetectionImage {
        path: set.path(index),
        name: image.file_name.clone(),
        id: image.id,
        size: Some(image.size),
        objects: image.objects.iter().map(detection_object).collect(),
    };
    let images = annotations.images.iter().enumerate().map(image).collect();
    Ok((annotations.categories.clone(), images, problems))
}

fn detection_object(object: &CocoObject) -> DetectionObject {
    DetectionObject {
        class: object.category,
        corners: object.corners,
        area: object.area,
        difficult: false,
        crowd: object.crowd,
        outline: object.segmentation.clone(),
    }
}

/// Numbers the objects by `classes` instead of the part's own categories; objects of other classes are dropped and counted.
pub(super) fn renumber(
    images: &mut [DetectionImage],
    own: &[CocoCategory],
    classes: &[String],
    problems: &mut DetectionProblems,
) {
    let places: Vec<Option<usize>> = own
        .iter()
        .map(|category| classes.iter().position(|class| *class == category.name))
        .collect();
    for image in images {
        let objects = std::mem::take(&mut image.objects);
        for mut object in objects {
            match places[object.class] {
                Some(class) => {
                    object.class = class;
                    image.objects.push(object);
                }
                None => {
                    let name = &own[object.class].name;
                    problems.add(DetectionProblem::UnknownClass, || format!("{name} in {}", image.name));
                }
            }
        }
    }
}
