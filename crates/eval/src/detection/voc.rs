//! Detection average precision of PASCAL VOC for one class.
//!
//! Boxes are half-open: VOC's own, which count from 1 and include both edges, lose 1 at their left and upper edges first.

use crate::{CurveAp, EvalError, curve_ap};

/// An annotated object of the class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VocObject {
    /// x1, y1, x2, y2 in pixels.
    pub corners: [f64; 4],
    /// Detections of it are neither correct nor wrong.
    pub difficult: bool,
}

/// A detection of the class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VocDetection {
    /// Number of its image.
    pub image: usize,
    /// Its score; equal scores rank in the order of the slice.
    pub score: f64,
    /// x1, y1, x2, y2 in pixels.
    pub corners: [f64; 4],
}

/// Average precision of one class at one overlap, with its curve.
#[derive(Clone, Debug, PartialEq)]
pub struct VocAp {
    /// Area and mean over 11 points. 0 without detections.
    pub ap: CurveAp,
    /// Number of objects that are not difficult.
    pub positives: usize,
    /// Number of difficult objects.
    pub difficult: usize,
    /// Recall after each detection, highest score first.
    pub recall: Vec<f64>,
    /// Precision after each detection.
    pub precision: Vec<f64>,
    /// Score of each detection.
    pub scores: Vec<f64>,
}

/// Average precision of a class as detectron2's `pascal_voc_evaluation` defines it: a detection is compared with the object of its
/// image that it overlaps most and is correct if the overlap is **over** `threshold`; a second detection of an object is wrong, one of a
/// difficult object does not count. `objects` holds the objects of each image. `None` without an object that is not difficult.
///
/// # Errors
/// If a score is NaN or an image is out of range.
pub fn voc_detection_ap(
    objects: &[Vec<VocObject>],
    detections: &[VocDetection],
    threshold: f64,
) -> Result<Option<VocAp>, EvalError> {
    if let Some(row) = detections.iter().position(|detection| detection.score.is_nan()) {
        return Err(EvalError::Score { row });
    }
    if let Some(bad) = detections.iter().find(|detection| detection.image >= objects.len()) {
        return Err(EvalError::Setting(format!(
            "a detection is of image {}, but there are {} images",
            bad.image,
            objects.len()
        )));
    }
    let all = objects.iter().map(Vec::len).sum::<usize>();
    let positives = objects.iter().flatten().filter(|object| !object.difficult).count();
    if positives == 0 {
        return Ok(None);
    }
    let mut ranked: Vec<&VocDetection> = detections.iter().collect();
    ranked.sort_by(|a, b| (b.score + 0.0).total_cmp(&(a.score + 0.0)));
    let mut taken: Vec<Vec<bool>> = objects.iter().map(|objects| vec![false; objects.len()]).collect();
    let (mut right, mut wrong) = (0usize, 0usize);
    let (mut recall, mut precision) = (Vec::with_capacity(ranked.len()), Vec::with_capacity(ranked.len()));
    for detection in &ranked {
        let mut best: Option<(usize, f64)> = None;
        for (at, object) in objects[detection.image].iter().enumerate() {
            let overlap = box_iou(&detection.corners, &object.corners);
            if best.is_none_or(|(_, most)| overlap > most) {
                best = Some((at, overlap));
            }
        }
        match best.filter(|&(_, overlap)| overlap > threshold) {
            Some((at, _)) if objects[detection.image][at].difficult => {}
            Some((at, _)) if !std::mem::replace(&mut taken[detection.image][at], true) => right += 1,
            _ => wrong += 1,
        }
        recall.push(right as f64 / positives as f64);
        precision.push(right as f64 / ((right + wrong) as f64).max(f64::EPSILON));
    }
    Ok(Some(VocAp {
        ap: curve_ap(&recall, &precision),
        positives,
        difficult: all - positives,
        recall,
        precision,
        scores: ranked.iter().map(|detection| detection.score).collect(),
    }))
}

/// Intersection over union of two boxes given by their corners x1, y1, x2, y2; 0 without overlap.
pub fn box_iou(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let side = |axis: usize| a[axis + 2].min(b[axis + 2]) - a[axis].max(b[axis]);
    let area = |corners: &[f64; 4]| (corners[2] - corners[0]) * (corners[3] - corners[1]);
    let (width, height) = (side(0), side(1));
    if !(width > 0.0 && height > 0.0) {
        return 0.0;
    }
    let both = width * height;
    both / (area(a) + area(b) - both)
}
