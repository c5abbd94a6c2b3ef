//! What is compared with what: boxes or masks, and how much of one the other covers.

use super::Rle;

/// A detected or annotated region of an image.
pub trait Region: Sync {
    /// Area of a detection in pixels, which decides the range of areas it belongs to.
    fn area(&self) -> f64;

    /// Intersection over union of every detection with every object, [detections, objects]; where the object is a crowd,
    /// intersection over the detection's area.
    fn overlaps(detections: &[&Self], objects: &[&Self], crowd: &[bool]) -> Vec<f64>;
}

/// A box: x, y, width, height in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoxRegion(pub [f64; 4]);

impl Region for BoxRegion {
    fn area(&self) -> f64 {
        self.0[2] * self.0[3]
    }

    fn overlaps(detections: &[&Self], objects: &[&Self], crowd: &[bool]) -> Vec<f64> {
        let of = |detection: &&Self| {
            let detection = detection.0;
            objects
                .iter()
                .zip(crowd)
                .map(move |(object, &crowd)| box_overlap(&detection, &object.0, crowd))
        };
        detections.iter().flat_map(of).collect()
    }
}

impl Region for Rle {
    fn area(&self) -> f64 {
        Rle::area(self) as f64
    }

    fn overlaps(detections: &[&Self], objects: &[&Self], crowd: &[bool]) -> Vec<f64> {
        let bounds = |masks: &[&Self]| -> Vec<[f64; 4]> { masks.iter().map(|mask| mask.bounds()).collect() };
        let areas = |masks: &[&Self]| -> Vec<u64> { masks.iter().map(|mask| Rle::area(mask)).collect() };
        let (detected, annotated) = (bounds(detections), bounds(objects));
        let (detected_areas, annotated_areas) = (areas(detections), areas(objects));
        let mut overlaps = Vec::with_capacity(detections.len() * objects.len());
        for (d, detection) in detections.iter().enumerate() {
            for (o, object) in objects.iter().enumerate() {
                // Runs are walked only where the boxes overlap.
                let near = box_overlap(&detected[d], &annotated[o], crowd[o]) > 0.0;
                let both = if near { detection.intersection(object) } else { 0 };
                let whole = match crowd[o] {
                    true => detected_areas[d],
                    false => detected_areas[d] + annotated_areas[o] - both,
                };
                overlaps.push(if both == 0 { 0.0 } else { both as f64 / whole as f64 });
            }
        }
        overlaps
    }
}

fn box_overlap(detection: &[f64; 4], object: &[f64; 4], crowd: bool) -> f64 {
    let side = |axis: usize| {
        let end = (detection[axis] + detection[axis + 2]).min(object[axis] + object[axis + 2]);
        end - detection[axis].max(object[axis])
    };
    let (width, height) = (side(0), side(1));
    if !(width > 0.0 && height > 0.0) {
        return 0.0;
    }
    let both = width * height;
    let area = detection[2] * detection[3];
    both / if crowd {
        area
    } else {
        area + object[2] * object[3] - both
    }
}
