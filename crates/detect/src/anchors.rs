//! Anchors: boxes of fixed sizes and ratios at every position of a feature map.

use crate::boxes::Corners;

/// Sizes and ratios of anchors.
#[derive(Clone, Debug, PartialEq)]
pub struct AnchorConfig {
    /// Square roots of the areas, in pixels (> 0).
    pub sizes: Vec<f64>,
    /// Heights over widths (> 0).
    pub ratios: Vec<f64>,
    /// Pixels of the image per pixel of the features.
    pub stride: usize,
}

impl Default for AnchorConfig {
    /// Those of detectron2's C4 networks: 32 to 512 pixels in three ratios, stride 16.
    fn default() -> Self {
        Self {
            sizes: vec![32.0, 64.0, 128.0, 256.0, 512.0],
            ratios: vec![0.5, 1.0, 2.0],
            stride: 16,
        }
    }
}

impl AnchorConfig {
    /// Anchors at each position.
    pub fn per_position(&self) -> usize {
        self.sizes.len() * self.ratios.len()
    }

    /// The anchors around (0, 0): sizes outer, ratios inner.
    fn cell(&self) -> Vec<[f64; 4]> {
        let of_size = |&size: &f64| {
            self.ratios.iter().map(move |ratio| {
                let (width, height) = (size / ratio.sqrt(), size * ratio.sqrt());
                [-width / 2.0, -height / 2.0, width / 2.0, height / 2.0]
            })
        };
        self.sizes.iter().flat_map(of_size).collect()
    }
}

/// All anchors of a feature map of `height` and `width` pixels. Anchor a at (y, x) has the index (y·width + x)·A + a; those that reach out
/// of the image are there too.
pub fn anchors(config: &AnchorConfig, [height, width]: [usize; 2]) -> Vec<Corners> {
    let cell = config.cell();
    let mut anchors = Vec::with_capacity(height * width * cell.len());
    for y in 0..height {
        for x in 0..width {
            let (across, down) = ((x * config.stride) as f64, (y * config.stride) as f64);
            anchors.extend(
                cell.iter().map(|[x1, y1, x2, y2]| {
                    [x1 + across, y1 + down, x2 + across, y2 + down].map(|corner| corner as f32)
                }),
            );
        }
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of detectron2's `DefaultAnchorGenerator`.
    #[test]
    fn anchors_are_detectron2s() {
        let config = AnchorConfig::default();
        let all = anchors(&config, [3, 7]);
        assert_eq!(all.len(), 3 * 7 * 15);
        let expected: [f64; 16] = [
            -22.627416998,
            -11.313708499,
            22.627416998,
            11.313708499,
            -16.0,
            -16.0,
            16.0,
            16.0,
            -11.313708499,
            -22.627416998,
            11.313708499,
            22.627416998,
            -45.2548339959,
            -22.627416998,
            45.2548339959,
            22.627416998,
        ];
        for (found, expected) in all[..4].as_flattened().iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-5, "{found}, not {expected}");
        }
        assert_eq!(all[15 * (2 * 7 + 3) + 4], [16.0, 0.0, 80.0, 64.0]);
    }
}
