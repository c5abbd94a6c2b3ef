//! From the matched detections of a category to precision at each recall.

use super::CocoConfig;
use super::matching::Matched;

/// The curve of one category at one threshold, one range of areas and one number of detections.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Curve {
    /// Precision at each of the configured recalls; 0 at those not reached.
    pub(super) precision: Vec<f64>,
    /// Score of the detection with which each recall is reached; 0 at those not reached.
    pub(super) scores: Vec<f64>,
    /// The highest recall.
    pub(super) recall: f64,
}

/// The curve of detections, which are in the order of their images, at threshold `t`; at most `most` of each image count.
/// `positives` is the number of objects that count.
pub(super) fn curve(ranked: &[Matched], positives: usize, t: usize, most: usize, config: &CocoConfig) -> Curve {
    let bit = 1 << t;
    let (mut recall, mut precision, mut scores) = (Vec::new(), Vec::new(), Vec::new());
    let (mut right, mut wrong) = (0usize, 0usize);
    for detection in ranked.iter().filter(|detection| detection.rank < most) {
        if detection.ignored & bit == 0 {
            match detection.correct & bit {
                0 => wrong += 1,
                _ => right += 1,
            }
        }
        recall.push(right as f64 / positives as f64);
        precision.push(right as f64 / ((right + wrong) as f64 + f64::EPSILON));
        scores.push(detection.score);
    }
    for at in (1..precision.len()).rev() {
        precision[at - 1] = f64::max(precision[at - 1], precision[at]);
    }
    let reached = |point: &f64| recall.partition_point(|recall| recall < point);
    let read = |values: &[f64]| -> Vec<f64> {
        let points = config.recalls.iter();
        points
            .map(|point| values.get(reached(point)).copied().unwrap_or(0.0))
            .collect()
    };
    Curve {
        precision: read(&precision),
        scores: read(&scores),
        recall: recall.last().copied().unwrap_or(0.0),
    }
}
