//! Which detections of one image and category are correct, at every threshold and within one range of areas.

use super::{AreaRange, CocoConfig};

/// The objects of one image and category.
pub(super) struct Objects<'a> {
    pub(super) areas: &'a [f64],
    pub(super) crowd: &'a [bool],
}

/// A detection after matching. Bit t of each mask belongs to threshold t.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Matched {
    pub(super) score: f64,
    /// Rank within its image and category, from 0.
    pub(super) rank: usize,
    pub(super) correct: u32,
    pub(super) ignored: u32,
}

/// Matches detections, ordered by score, with objects; returns them with the number of objects that count.
///
/// A better detection chooses first; it takes the object with the highest overlap, the later of equal ones, and one that counts
/// before one that is ignored (a crowd, or an area outside the range). A crowd may be taken any number of times.
pub(super) fn matched(
    scores: &[f64],
    detected_areas: &[f64],
    objects: &Objects<'_>,
    overlaps: &[f64],
    area: &AreaRange,
    config: &CocoConfig,
) -> (Vec<Matched>, usize) {
    let count = objects.areas.len();
    let ignored = |object: usize| objects.crowd[object] || !area.contains(objects.areas[object]);
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|&object| ignored(object));
    let counted = order.iter().filter(|&&object| !ignored(object)).count();
    let mut found: Vec<Matched> = scores
        .iter()
        .enumerate()
        .map(|(rank, &score)| Matched {
            score,
            rank,
            correct: 0,
            ignored: 0,
        })
        .collect();
    let mut taken = vec![false; count];
    for (t, &threshold) in config.iou_thresholds.iter().enumerate() {
        taken.fill(false);
        for (d, detection) in found.iter_mut().enumerate() {
            let mut best = threshold.min(1.0 - 1e-10);
            let mut at = None;
            for &object in &order {
                if taken[object] && !objects.crowd[object] {
                    continue;
                }
                if at.is_some_and(|at| !ignored(at)) && ignored(object) {
                    break;
                }
                let overlap = overlaps[d * count + object];
                if overlap >= best {
                    (best, at) = (overlap, Some(object));
                }
            }
            match at {
                Some(object) => {
                    taken[object] = true;
                    let bits = if ignored(object) {
                        &mut detection.ignored
                    } else {
                        &mut detection.correct
                    };
                    *bits |= 1 << t;
                }
                None if !area.contains(detected_areas[d]) => detection.ignored |= 1 << t,
                None => {}
            }
        }
    }
    (found, counted)
}
