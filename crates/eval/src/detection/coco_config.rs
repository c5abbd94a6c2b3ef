//! Thresholds, recalls, areas and numbers of detections of COCO's evaluation.

/// A range of areas, both ends included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AreaRange {
    /// Its name, as in reports.
    pub name: &'static str,
    /// Smallest area in pixels.
    pub least: f64,
    /// Largest area in pixels.
    pub most: f64,
}

impl AreaRange {
    /// Whether an area is within the range.
    pub fn contains(&self, area: f64) -> bool {
        area >= self.least && area <= self.most
    }
}

/// Settings of COCO's evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct CocoConfig {
    /// Overlaps from which on a detection is correct; at most 32.
    pub iou_thresholds: Vec<f64>,
    /// Recalls at which the precision is read, not decreasing.
    pub recalls: Vec<f64>,
    /// Ranges of areas; the first is that of all objects.
    pub areas: Vec<AreaRange>,
    /// Largest numbers of detections of an image and category, ascending; the last is that of average precision.
    pub max_detections: Vec<usize>,
}

impl Default for CocoConfig {
    /// Those of COCO: .50 to .95, 101 recalls, all, small, medium and large objects, 1, 10 and 100 detections.
    fn default() -> Self {
        let area = |name, least, most| AreaRange { name, least, most };
        Self {
            iou_thresholds: linspace(0.5, 0.95, 10),
            recalls: linspace(0.0, 1.0, 101),
            areas: vec![
                area("all", 0.0, 1e10),
                area("small", 0.0, 1024.0),
                area("medium", 1024.0, 9216.0),
                area("large", 9216.0, 1e10),
            ],
            max_detections: vec![1, 10, 100],
        }
    }
}

/// As numpy's: `start + k · step`, whose rounding decides whether a recall of exactly k/100 reaches a point.
fn linspace(start: f64, stop: f64, count: usize) -> Vec<f64> {
    let step = (stop - start) / (count - 1) as f64;
    let mut values: Vec<f64> = (0..count).map(|k| k as f64 * step + start).collect();
    values[count - 1] = stop;
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_round_as_numpys() {
        let config = CocoConfig::default();
        let above = |values: &[f64], of: &dyn Fn(usize) -> f64| -> Vec<usize> {
            (0..values.len()).filter(|&k| values[k] > of(k)).collect()
        };
        let below = |values: &[f64], of: &dyn Fn(usize) -> f64| -> Vec<usize> {
            (0..values.len()).filter(|&k| values[k] < of(k)).collect()
        };
        let recall = |k: usize| k as f64 / 100.0;
        let iou = |k: usize| (50 + 5 * k) as f64 / 100.0;
        assert_eq!(
            above(&config.recalls, &recall),
            [35, 41, 47, 57, 69, 70, 82, 83, 94, 95]
        );
        assert_eq!(below(&config.recalls, &recall), [0usize; 0]);
        assert_eq!(above(&config.iou_thresholds, &iou), [0usize; 0]);
        assert_eq!(below(&config.iou_thresholds, &iou), [8]);
    }
}
