//! Suppression of boxes that overlap a better one, and the highest of many scores.

use std::cmp::Reverse;

use crate::boxes::{Corners, iou};

/// Indices of the `count` highest scores, highest first; equal ones in their order. NaN ranks last.
pub fn top(scores: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let rank = |&at: &usize| (Reverse(ordered(scores[at])), at);
    if count < order.len() {
        order.select_nth_unstable_by_key(count, rank);
        order.truncate(count);
    }
    order.sort_unstable_by_key(rank);
    order
}

/// A number in the order of a score: NaN is lowest, −0 and 0 are equal.
fn ordered(score: f32) -> i32 {
    if score.is_nan() {
        return i32::MIN;
    }
    let bits = (score + 0.0).to_bits() as i32;
    // Negative floats are in the reverse order of their bits.
    if bits < 0 { bits ^ i32::MAX } else { bits }
}

/// Boxes that remain, highest score first: each suppresses those with lower scores that overlap it by **more** than `threshold`. At most
/// `most` are returned.
///
/// # Panics
/// If boxes and scores differ in number.
pub fn nms(boxes: &[Corners], scores: &[f32], threshold: f64, most: usize) -> Vec<usize> {
    nms_by_class(boxes, scores, &vec![0; boxes.len()], threshold, most)
}

/// The same, but a box suppresses only those of its own class.
///
/// # Panics
/// If boxes, scores and classes differ in number.
pub fn nms_by_class(boxes: &[Corners], scores: &[f32], classes: &[usize], threshold: f64, most: usize) -> Vec<usize> {
    assert!(
        boxes.len() == scores.len() && boxes.len() == classes.len(),
        "{} boxes, {} scores, {} classes",
        boxes.len(),
        scores.len(),
        classes.len()
    );
    let mut kept: Vec<usize> = Vec::new();
    for at in top(scores, scores.len()) {
        if kept.len() == most {
            break;
        }
        let suppressed =
            |&better: &usize| classes[better] == classes[at] && iou(&boxes[better], &boxes[at]) > threshold;
        if !kept.iter().any(suppressed) {
            kept.push(at);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOXES: [Corners; 8] = [
        [0.0, 0.0, 10.0, 10.0],
        [0.0, 0.0, 10.0, 5.0],
        [1.0, 1.0, 11.0, 11.0],
        [20.0, 20.0, 30.0, 30.0],
        [20.0, 20.0, 30.0, 30.0],
        [21.0, 20.0, 31.0, 30.0],
        [50.0, 50.0, 60.0, 60.0],
        [0.0, 0.0, 10.0, 10.0],
    ];
    const SCORES: [f32; 8] = [0.9, 0.8, 0.7, 0.6, 0.6, 0.95, 0.1, 0.5];

    /// Values of torchvision's `nms` and `batched_nms`.
    #[test]
    fn suppression_is_torchvisions() {
        assert_eq!(nms(&BOXES, &SCORES, 0.5, 100), [5, 0, 1, 6]);
        assert_eq!(nms(&BOXES, &SCORES, 0.7, 100), [5, 0, 1, 2, 6]);
        assert_eq!(nms(&BOXES, &SCORES, 0.7, 2), [5, 0]);
        let classes = [0, 1, 0, 0, 1, 0, 1, 1];
        assert_eq!(nms_by_class(&BOXES, &SCORES, &classes, 0.5, 100), [5, 0, 1, 4, 7, 6]);
        assert_eq!(nms(&[], &[], 0.5, 100), [0usize; 0]);
    }

    #[test]
    fn the_highest_scores_come_first_and_ties_in_their_order() {
        let scores = [-1.0, f32::NAN, 3.0, 0.0, -0.0, f32::NEG_INFINITY, 3.0, f32::INFINITY];
        assert_eq!(top(&scores, 100), [7, 2, 6, 3, 4, 0, 5, 1]);
        for count in 0..8 {
            assert_eq!(top(&scores, count), top(&scores, 100)[..count]);
        }
    }
}
