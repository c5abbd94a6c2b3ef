//! Average precision of detections: COCO's of boxes or masks, and VOC's of boxes where the set has VOC's layout.

use super::found::FoundSet;
use super::predict::is_counted;
use super::target::mask;
use anyhow::{Context, Result};
use barlow_data::{DetectionLayout, DetectionObject, DetectionSet};
use barlow_eval::{
    BoxRegion, CocoConfig, CocoDetection, CocoEvaluation, CocoObject, Region, Rle, VocDetection, VocObject,
    coco_evaluate, voc_detection_ap,
};
use serde::{Deserialize, Serialize};

/// Average precision of boxes or of masks; `None` where it is not defined.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// COCO's average precision: the mean over overlaps of .50 to .95 and classes.
    pub ap: Option<f64>,
    /// At an overlap of .50.
    pub ap50: Option<f64>,
    /// At an overlap of .75.
    pub ap75: Option<f64>,
    /// Of objects below 32² pixels.
    pub ap_small: Option<f64>,
    /// Of objects from 32² to 96² pixels.
    pub ap_medium: Option<f64>,
    /// Of objects above 96² pixels.
    pub ap_large: Option<f64>,
    /// Average recall with 1 detection per image.
    pub ar1: Option<f64>,
    /// With 10.
    pub ar10: Option<f64>,
    /// With 100.
    pub ar100: Option<f64>,
    /// VOC's, of boxes in a set of VOC's layout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voc: Option<VocScores>,
    /// Every class.
    pub classes: Vec<ClassScores>,
}

/// VOC's average precision: means over the classes that have objects.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VocScores {
    /// Mean over overlaps of .50 to .95, each the mean over 11 points of recall, as detectron2 reports VOC 2007.
    pub ap: Option<f64>,
    /// At an overlap of .50, over 11 points.
    pub ap50: Option<f64>,
    /// At an overlap of .75, over 11 points.
    pub ap75: Option<f64>,
    /// At an overlap of .50, the area under the curve: VOC's own from 2010.
    pub ap50_area: Option<f64>,
}

/// Average precision of one class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Its name.
    pub name: String,
    /// Objects in the test images, without crowds and difficult ones.
    pub objects: usize,
    /// Detections.
    pub detections: usize,
    /// COCO's average precision.
    pub ap: Option<f64>,
    /// At an overlap of .50.
    pub ap50: Option<f64>,
    /// At an overlap of .75.
    pub ap75: Option<f64>,
    /// VOC's at an overlap of .50, over 11 points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voc_ap50: Option<f64>,
    /// Precision at an overlap of .50 where the recall is 0, 0.01 to 1; empty without objects.
    pub precision50: Vec<f64>,
    /// The same at .75.
    pub precision75: Vec<f64>,
}

/// Scores the detections of a set: of masks if `masks`, else of boxes. Images that were skipped do not count. Difficult objects are, as
/// crowds, neither found nor missed; so are objects without a mask where masks are scored.
///
/// # Errors
/// If a score is NaN, or a mask cannot be filled.
pub fn score(set: &DetectionSet, found: &FoundSet, layout: DetectionLayout, masks: bool) -> Result<Scores> {
    let evaluation = if masks {
        of_masks(set, found)?
    } else {
        of_boxes(set, found)?
    };
    let summary = evaluation.summary();
    let curve = |class: usize, threshold: usize| -> Vec<f64> {
        let most = evaluation.config().max_detections.len() - 1;
        evaluation
            .precision(class, 0, most, threshold)
            .map(<[f64]>::to_vec)
            .unwrap_or_default()
    };
    let voc = (layout == DetectionLayout::Voc && !masks)
        .then(|| of_voc(set, found))
        .transpose()?;
    let class = |(class, name): (usize, &String)| ClassScores {
        name: name.clone(),
        objects: counted_objects(set, found)
            .filter(|(_, o)| o.class == class && !is_ignored(o))
            .count(),
        detections: found.objects.iter().filter(|found| found.class == class).count(),
        ap: evaluation.average_precision(Some(class), 0, None),
        ap50: evaluation.average_precision(Some(class), 0, Some(AT_50)),
        ap75: evaluation.average_precision(Some(class), 0, Some(AT_75)),
        voc_ap50: voc.as_ref().and_then(|(_, classes)| classes[class]),
        precision50: curve(class, AT_50),
        precision75: curve(class, AT_75),
    };
    Ok(Scores {
        ap: summary.ap,
        ap50: summary.ap50,
        ap75: summary.ap75,
        ap_small: summary.ap_small,
        ap_medium: summary.ap_medium,
        ap_large: summary.ap_large,
        ar1: summary.ar1,
        ar10: summary.ar10,
        ar100: summary.ar100,
        classes: set.classes.iter().enumerate().map(class).collect(),
        voc: voc.map(|(scores, _)| scores),
    })
}

/// Places of .50 and .75 among COCO's overlaps.
const AT_50: usize = 0;
const AT_75: usize = 5;

/// The objects of all images that were not skipped, with the images' indices.
fn counted_objects<'a>(
    set: &'a DetectionSet,
    found: &'a FoundSet,
) -> impl Iterator<Item = (usize, &'a DetectionObject)> {
    let images = set.images.iter().enumerate();
    images
        .filter(|(image, _)| is_counted(&found.skipped, *image))
        .flat_map(|(image, annotated)| annotated.objects.iter().map(move |object| (image, object)))
}

fn is_ignored(object: &DetectionObject) -> bool {
    object.crowd || object.difficult
}

fn of_boxes(set: &DetectionSet, found: &FoundSet) -> Result<CocoEvaluation> {
    let region = |corners: [f32; 4]| {
        let [x1, y1, x2, y2] = corners.map(f64::from);
        BoxRegion([x1, y1, x2 - x1, y2 - y1])
    };
    let objects: Vec<_> = counted_objects(set, found)
        .map(|(image, object)| CocoObject {
            image,
            category: object.class,
            region: region(object.corners),
            area: object.area,
            crowd: is_ignored(object),
        })
        .collect();
    let detections = found.objects.iter().map(|found| (found, region(found.corners)));
    evaluated(
        set,
        &objects,
        detections.map(|(found, region)| (found.image, found.class, found.score, region)),
    )
}

fn of_masks(set: &DetectionSet, found: &FoundSet) -> Result<CocoEvaluation> {
    let mut objects = Vec::new();
    for (image, object) in counted_objects(set, found) {
        let size = found.sizes[image].context("an image that was decoded has a size")?;
        let annotated = object.outline.as_ref().map(|outline| mask(outline, size));
        let (region, is_masked) = match annotated {
            Some(Ok(mask)) => (mask, true),
            _ => {
                let [x1, y1, x2, y2] = object.corners.map(f64::from);
                let corners = [x1, y1, x2, y1, x2, y2, x1, y2];
                (Rle::from_polygons(size[0], size[1], &[corners])?, false)
            }
        };
        objects.push(CocoObject {
            image,
            category: object.class,
            region,
            area: object.area,
            crowd: is_ignored(object) || !is_masked,
        });
    }
    let detections = found.objects.iter().filter_map(|found| {
        let mask = found.mask.clone()?;
        Some((found.image, found.class, found.score, mask))
    });
    evaluated(set, &objects, detections)
}

fn evaluated<R: Region>(
    set: &DetectionSet,
    objects: &[CocoObject<R>],
    detections: impl Iterator<Item = (usize, usize, f32, R)>,
) -> Result<CocoEvaluation> {
    let detections: Vec<_> = detections
        .map(|(image, category, score, region)| CocoDetection {
            image,
            category,
            score: f64::from(score),
            region,
        })
        .collect();
    Ok(coco_evaluate(
        set.classes.len(),
        objects,
        &detections,
        &CocoConfig::default(),
    )?)
}

/// VOC's means, and its average precision of each class at .50 over 11 points.
fn of_voc(set: &DetectionSet, found: &FoundSet) -> Result<(VocScores, Vec<Option<f64>>)> {
    let thresholds = CocoConfig::default().iou_thresholds;
    let mut by_threshold = vec![Vec::new(); thresholds.len()];
    let (mut areas, mut classes) = (Vec::new(), Vec::new());
    for class in 0..set.classes.len() {
        let mut objects = vec![Vec::new(); set.images.len()];
        for (image, object) in counted_objects(set, found).filter(|(_, object)| object.class == class) {
            objects[image].push(VocObject {
                corners: object.corners.map(f64::from),
                difficult: object.difficult,
            });
        }
        let detections: Vec<VocDetection> = found
            .objects
            .iter()
            .filter(|found| found.class == class)
            .map(|found| VocDetection {
                image: found.image,
                score: f64::from(found.score),
                corners: found.corners.map(f64::from),
            })
            .collect();
        let mut at_50 = None;
        for (at, (&threshold, aps)) in thresholds.iter().zip(&mut by_threshold).enumerate() {
            let Some(ap) = voc_detection_ap(&objects, &detections, threshold)? else {
                continue;
            };
            aps.push(ap.ap.eleven_point);
            if at == AT_50 {
                areas.push(ap.ap.area);
                at_50 = Some(ap.ap.eleven_point);
            }
        }
        classes.push(at_50);
    }
    let mean = |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    let by_threshold: Vec<Option<f64>> = by_threshold.iter().map(|aps| mean(aps)).collect();
    let all: Option<Vec<f64>> = by_threshold.iter().copied().collect();
    let scores = VocScores {
        ap: all.and_then(|all| mean(&all)),
        ap50: by_threshold[AT_50],
        ap75: by_threshold[AT_75],
        ap50_area: mean(&areas),
    };
    Ok((scores, classes))
}
