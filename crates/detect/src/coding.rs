//! Boxes as offsets from other boxes, and back.

use crate::boxes::Corners;

/// Largest logarithm of a decoded side over its source's: ln(1000 / 16).
pub const MAX_LOG_SCALE: f64 = 4.135_166_556_742_356;

/// How boxes are encoded: each offset is multiplied by its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoxCoding {
    /// Weights of the offsets of x, y, width and height (> 0).
    pub weights: [f64; 4],
}

impl BoxCoding {
    /// Of anchors to proposals.
    pub const PROPOSALS: Self = Self { weights: [1.0; 4] };

    /// Of proposals to detections.
    pub const DETECTIONS: Self = Self {
        weights: [10.0, 10.0, 5.0, 5.0],
    };

    /// Offsets from `source`, whose sides must be positive, to `target`.
    pub fn encode(&self, source: &Corners, target: &Corners) -> [f32; 4] {
        let ([x, y, width, height], [target_x, target_y, target_width, target_height]) =
            (middle(source), middle(target));
        let offsets = [
            (target_x - x) / width,
            (target_y - y) / height,
            (target_width / width).ln(),
            (target_height / height).ln(),
        ];
        std::array::from_fn(|at| (self.weights[at] * offsets[at]) as f32)
    }

    /// The box at `offsets` from `source`. Its sides are at most 62.5 times as long as the source's.
    pub fn decode(&self, source: &Corners, offsets: &[f32; 4]) -> Corners {
        let [x, y, width, height] = middle(source);
        let [dx, dy, dw, dh]: [f64; 4] = std::array::from_fn(|at| f64::from(offsets[at]) / self.weights[at]);
        let (x, y) = (dx * width + x, dy * height + y);
        let half = |side: f64, offset: f64| offset.min(MAX_LOG_SCALE).exp() * side / 2.0;
        let (across, down) = (half(width, dw), half(height, dh));
        [x - across, y - down, x + across, y + down].map(|corner| corner as f32)
    }
}

/// Middle and sides of a box.
fn middle(corners: &Corners) -> [f64; 4] {
    let [x1, y1, x2, y2] = corners.map(f64::from);
    [(x1 + x2) / 2.0, (y1 + y2) / 2.0, x2 - x1, y2 - y1]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: [Corners; 3] = [
        [0.0, 0.0, 32.0, 16.0],
        [10.5, 20.25, 74.5, 100.0],
        [-22.6, -11.3, 22.6, 11.3],
    ];
    const TARGETS: [Corners; 3] = [[4.0, 2.0, 40.0, 30.0], [12.0, 18.0, 70.0, 120.5], [0.0, 0.0, 8.0, 9.0]];

    /// Values of detectron2's `Box2BoxTransform`.
    #[test]
    fn coding_is_detectron2s() {
        let cases: [(BoxCoding, [f64; 12], [f64; 12]); 2] = [
            (
                BoxCoding::PROPOSALS,
                [
                    0.1875,
                    0.5,
                    0.117783035656,
                    0.559615787935,
                    -0.0234375,
                    0.114420062696,
                    -0.0984400728133,
                    0.250966056914,
                    0.0884955752212,
                    0.199115044248,
                    -1.73165554516,
                    -0.920725328942,
                ],
                [
                    -984.0,
                    -430.155102025,
                    1016.0,
                    569.844897975,
                    -3.21499853098,
                    486.617445963,
                    828.227684931,
                    503.830191509,
                    139.562949556,
                    -21.4183389257,
                    140.044994519,
                    -21.362293326,
                ],
            ),
            (
                BoxCoding::DETECTIONS,
                [
                    1.875,
                    5.0,
                    0.588915178282,
                    2.79807893968,
                    -0.234375,
                    1.14420062696,
                    -0.492200364066,
                    1.25483028457,
                    0.884955752212,
                    1.99115044248,
                    -8.65827772579,
                    -4.60362664471,
                ],
                [
                    -36.2023962092,
                    -8.35553889701,
                    68.2023962092,
                    36.724518492,
                    26.058911929,
                    74.290525559,
                    132.942356711,
                    132.979238188,
                    4.86662305442,
                    -5.54283965258,
                    23.0941713532,
                    1.26477642742,
                ],
            ),
        ];
        for (coding, encoded, decoded) in cases {
            for row in 0..3 {
                let offsets = coding.encode(&SOURCES[row], &TARGETS[row]);
                for (found, expected) in offsets.iter().zip(&encoded[4 * row..]) {
                    assert!((f64::from(*found) - expected).abs() < 1e-5, "{found}, not {expected}");
                }
                let back = coding.decode(&SOURCES[row], &offsets);
                assert!(
                    back.iter().zip(TARGETS[row]).all(|(a, b)| (a - b).abs() < 1e-4),
                    "{back:?}"
                );
                let waves = std::array::from_fn(|at| ((1.3 * row as f64 + 0.7 * at as f64).sin() * 6.0) as f32);
                let found = coding.decode(&SOURCES[row], &waves);
                for (found, expected) in found.iter().zip(&decoded[4 * row..]) {
                    // Single precision of the offsets, times the exponential.
                    let bound = 1e-5 * expected.abs().max(1.0);
                    assert!((f64::from(*found) - expected).abs() < bound, "{found}, not {expected}");
                }
            }
        }
    }
}
