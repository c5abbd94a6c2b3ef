//! Proposals: the best boxes of the first stage, without duplicates.

use crate::boxes::{Corners, clip};
use crate::coding::BoxCoding;
use crate::nms::{nms, top};

/// How many proposals are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProposalConfig {
    /// Anchors that are decoded, those with the highest scores.
    pub before_nms: usize,
    /// Proposals that remain.
    pub after_nms: usize,
    /// Overlap above which the lower score is suppressed.
    pub threshold: f64,
}

impl ProposalConfig {
    /// detectron2's in training.
    pub const TRAINING: Self = Self {
        before_nms: 12_000,
        after_nms: 2000,
        threshold: 0.7,
    };

    /// detectron2's in a test.
    pub const TEST: Self = Self {
        before_nms: 6000,
        after_nms: 1000,
        threshold: 0.7,
    };
}

/// Proposals of one image of `size` (height and width without padding), highest score first, with their scores. An anchor whose score or
/// offsets are not finite gives none.
///
/// # Panics
/// If anchors, scores and offsets differ in number.
pub fn proposals(
    anchors: &[Corners],
    scores: &[f32],
    offsets: &[[f32; 4]],
    size: [usize; 2],
    config: &ProposalConfig,
) -> (Vec<Corners>, Vec<f32>) {
    assert!(
        anchors.len() == scores.len() && anchors.len() == offsets.len(),
        "{} anchors, {} scores, {} offsets",
        anchors.len(),
        scores.len(),
        offsets.len()
    );
    let (mut boxes, mut kept) = (Vec::new(), Vec::new());
    for at in top(scores, config.before_nms) {
        let decoded = BoxCoding::PROPOSALS.decode(&anchors[at], &offsets[at]);
        if !scores[at].is_finite() || !decoded.iter().all(|corner| corner.is_finite()) {
            continue;
        }
        let [x1, y1, x2, y2] = clip(decoded, size);
        if x2 > x1 && y2 > y1 {
            boxes.push([x1, y1, x2, y2]);
            kept.push(scores[at]);
        }
    }
    let remaining = nms(&boxes, &kept, config.threshold, config.after_nms);
    remaining.into_iter().map(|at| (boxes[at], kept[at])).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposals_are_ranked_clipped_and_unlike_each_other() {
        let anchors = [
            [0.0, 0.0, 10.0, 10.0],
            [-5.0, -5.0, 5.0, 5.0],
            [0.0, 0.0, 10.0, 9.0],
            [40.0, 40.0, 50.0, 50.0],
            [10.0, 10.0, 20.0, 20.0],
            [10.0, 10.0, 20.0, 20.0],
        ];
        let scores = [0.5, 2.0, 1.0, 9.0, f32::NAN, 0.1];
        let mut offsets = [[0.0; 4]; 6];
        let config = ProposalConfig {
            before_nms: 6,
            after_nms: 10,
            threshold: 0.7,
        };
        let (boxes, kept) = proposals(&anchors, &scores, &offsets, [30, 30], &config);
        // The fourth is outside the image, the first a duplicate of the third, the fifth has no score.
        assert_eq!(kept, [2.0, 1.0, 0.1]);
        assert_eq!(
            boxes,
            [[0.0, 0.0, 5.0, 5.0], [0.0, 0.0, 10.0, 9.0], [10.0, 10.0, 20.0, 20.0]]
        );
        offsets[1][0] = f32::INFINITY;
        let few = ProposalConfig { after_nms: 1, ..config };
        assert_eq!(proposals(&anchors, &scores, &offsets, [30, 30], &few).1, [1.0]);
    }
}
