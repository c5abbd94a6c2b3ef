//! COCO's evaluation: detections and objects of all images to curves of precision by category, overlap, area and number of detections.
//!
//! The definition is `pycocotools`' `COCOeval`, to the last digit. Categories are evaluated side by side; the result does not depend
//! on the number of threads.

use rayon::prelude::*;

use super::accumulate::{Curve, curve};
use super::matching::{Matched, Objects, matched};
use super::{CocoConfig, CocoEvaluation, Region};
use crate::EvalError;

/// An annotated object.
#[derive(Clone, Debug, PartialEq)]
pub struct CocoObject<R> {
    /// Number of its image; images are concatenated in this order.
    pub image: usize,
    /// Number of its category.
    pub category: usize,
    /// Where it is.
    pub region: R,
    /// Its annotated area in pixels, which decides the range of areas it belongs to; that of its mask in COCO, of boxes too.
    pub area: f64,
    /// A group of objects: detections within it are neither correct nor wrong.
    pub crowd: bool,
}

/// A detection.
#[derive(Clone, Debug, PartialEq)]
pub struct CocoDetection<R> {
    /// Number of its image.
    pub image: usize,
    /// Number of its category.
    pub category: usize,
    /// Its score; equal scores rank in the order of images, then of the slice.
    pub score: f64,
    /// Where it is.
    pub region: R,
}

/// The objects and the detections of one category.
type OfCategory<'a, R> = (Vec<&'a CocoObject<R>>, Vec<&'a CocoDetection<R>>);

/// Evaluates detections of `categories` categories.
///
/// # Errors
/// If a score is NaN, a category is out of range, or a setting is.
pub fn coco_evaluate<R: Region>(
    categories: usize,
    objects: &[CocoObject<R>],
    detections: &[CocoDetection<R>],
    config: &CocoConfig,
) -> Result<CocoEvaluation, EvalError> {
    let setting = |text: &str| Err(EvalError::Setting(text.to_owned()));
    if config.iou_thresholds.is_empty() || config.iou_thresholds.len() > 32 {
        return setting("COCO's evaluation needs 1 to 32 thresholds of overlap");
    }
    if config.max_detections.is_empty() || !config.max_detections.is_sorted() {
        return setting("the numbers of detections are not ascending");
    }
    if config.areas.is_empty() || config.recalls.is_empty() || !config.recalls.is_sorted() {
        return setting("COCO's evaluation needs a range of areas, and recalls that do not decrease");
    }
    if let Some(row) = detections.iter().position(|detection| detection.score.is_nan()) {
        return Err(EvalError::Score { row });
    }
    let named = objects.iter().map(|object| object.category);
    let named = named.chain(detections.iter().map(|detection| detection.category));
    if let Some(category) = named.max().filter(|&category| category >= categories) {
        return Err(EvalError::Setting(format!(
            "category {category} of {categories}; they are numbered from 0"
        )));
    }
    let mut by_category: Vec<OfCategory<'_, R>> = (0..categories).map(|_| Default::default()).collect();
    for object in objects {
        by_category[object.category].0.push(object);
    }
    for detection in detections {
        by_category[detection.category].1.push(detection);
    }
    let of_category = by_category
        .into_par_iter()
        .map(|(objects, detections)| of_category(objects, detections, config));
    Ok(CocoEvaluation::new(config.clone(), of_category.collect()))
}

/// The curves of one category: [areas, numbers of detections, thresholds]. `None` within a range of areas without objects.
fn of_category<R: Region>(
    mut objects: Vec<&CocoObject<R>>,
    mut detections: Vec<&CocoDetection<R>>,
    config: &CocoConfig,
) -> Vec<Option<Curve>> {
    objects.sort_by_key(|object| object.image);
    // The sort is stable, so that equal scores of an image stay in their order.
    detections.sort_by(|a, b| a.image.cmp(&b.image).then(descending(a.score, b.score)));
    let most = *config.max_detections.last().expect("checked to be there");
    let areas = config.areas.len();
    let mut found: Vec<Vec<Matched>> = vec![Vec::new(); areas];
    let mut positives = vec![0; areas];
    let (mut objects, mut detections) = (&objects[..], &detections[..]);
    loop {
        let first = objects.first().map(|object| object.image);
        let Some(image) = first
            .into_iter()
            .chain(detections.first().map(|detection| detection.image))
            .min()
        else {
            break;
        };
        let (here, rest) = objects.split_at(objects.partition_point(|object| object.image == image));
        objects = rest;
        let (detected, rest) = detections.split_at(detections.partition_point(|detection| detection.image == image));
        detections = rest;
        let detected = &detected[..detected.len().min(most)];
        let crowd: Vec<bool> = here.iter().map(|object| object.crowd).collect();
        let annotated_areas: Vec<f64> = here.iter().map(|object| object.area).collect();
        let scores: Vec<f64> = detected.iter().map(|detection| detection.score).collect();
        let detected_areas: Vec<f64> = detected.iter().map(|detection| detection.region.area()).collect();
        let detected: Vec<&R> = detected.iter().map(|detection| &detection.region).collect();
        let regions: Vec<&R> = here.iter().map(|object| &object.region).collect();
        let overlaps = R::overlaps(&detected, &regions, &crowd);
        let here = Objects {
            areas: &annotated_areas,
            crowd: &crowd,
        };
        for (area, range) in config.areas.iter().enumerate() {
            let (matched, counted) = matched(&scores, &detected_areas, &here, &overlaps, range, config);
            found[area].extend(matched);
            positives[area] += counted;
        }
    }
    let mut curves = Vec::new();
    for (mut found, positives) in found.into_iter().zip(positives) {
        found.sort_by(|a, b| descending(a.score, b.score));
        for &most in &config.max_detections {
            let thresholds = 0..config.iou_thresholds.len();
            curves.extend(thresholds.map(|t| (positives > 0).then(|| curve(&found, positives, t, most, config))));
        }
    }
    curves
}

/// Highest first; −0 and 0 are equal.
fn descending(a: f64, b: f64) -> std::cmp::Ordering {
    (b + 0.0).total_cmp(&(a + 0.0))
}
