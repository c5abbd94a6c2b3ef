//! The result of COCO's evaluation: its curves, and the means that papers report.

use super::CocoConfig;
use super::accumulate::Curve;

/// Precision and recall of every category, overlap, range of areas and number of detections. What no object defines is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct CocoEvaluation {
    config: CocoConfig,
    /// Of each category, [areas, numbers of detections, thresholds].
    curves: Vec<Vec<Option<Curve>>>,
}

/// COCO's twelve numbers. `None` where no object is within the range.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "COCO's names")]
pub struct CocoSummary {
    pub ap: Option<f64>,
    pub ap50: Option<f64>,
    pub ap75: Option<f64>,
    pub ap_small: Option<f64>,
    pub ap_medium: Option<f64>,
    pub ap_large: Option<f64>,
    pub ar1: Option<f64>,
    pub ar10: Option<f64>,
    pub ar100: Option<f64>,
    pub ar_small: Option<f64>,
    pub ar_medium: Option<f64>,
    pub ar_large: Option<f64>,
}

impl CocoSummary {
    /// All twelve in COCO's order.
    pub fn values(&self) -> [Option<f64>; 12] {
        let aps = [
            self.ap,
            self.ap50,
            self.ap75,
            self.ap_small,
            self.ap_medium,
            self.ap_large,
        ];
        let ars = [
            self.ar1,
            self.ar10,
            self.ar100,
            self.ar_small,
            self.ar_medium,
            self.ar_large,
        ];
        std::array::from_fn(|at| if at < 6 { aps[at] } else { ars[at - 6] })
    }
}

impl CocoEvaluation {
    pub(super) fn new(config: CocoConfig, curves: Vec<Vec<Option<Curve>>>) -> Self {
        Self { config, curves }
    }

    /// What was asked for.
    pub fn config(&self) -> &CocoConfig {
        &self.config
    }

    /// Number of categories.
    pub fn categories(&self) -> usize {
        self.curves.len()
    }

    fn curve(&self, category: usize, area: usize, detections: usize, threshold: usize) -> Option<&Curve> {
        let [detections_count, thresholds] = [self.config.max_detections.len(), self.config.iou_thresholds.len()];
        self.curves[category][(area * detections_count + detections) * thresholds + threshold].as_ref()
    }

    /// Precision at each recall. All arguments are indices: of the category, and into the lists of [`CocoConfig`].
    ///
    /// # Panics
    /// If an index is out of range.
    pub fn precision(&self, category: usize, area: usize, detections: usize, threshold: usize) -> Option<&[f64]> {
        let curve = self.curve(category, area, detections, threshold);
        curve.map(|curve| &curve.precision[..])
    }

    /// Score with which each recall is reached; 0 at those not reached.
    ///
    /// # Panics
    /// If an index is out of range.
    pub fn scores(&self, category: usize, area: usize, detections: usize, threshold: usize) -> Option<&[f64]> {
        let curve = self.curve(category, area, detections, threshold);
        curve.map(|curve| &curve.scores[..])
    }

    /// The highest recall.
    ///
    /// # Panics
    /// If an index is out of range.
    pub fn recall(&self, category: usize, area: usize, detections: usize, threshold: usize) -> Option<f64> {
        self.curve(category, area, detections, threshold)
            .map(|curve| curve.recall)
    }

    /// Average precision with the largest number of detections: the mean over recalls, categories (or one) and thresholds (or one).
    ///
    /// # Panics
    /// If an index is out of range.
    pub fn average_precision(&self, category: Option<usize>, area: usize, threshold: Option<usize>) -> Option<f64> {
        let last = self.config.max_detections.len() - 1;
        self.mean(category, area, last, threshold, |curve| &curve.precision[..])
    }

    /// Average recall: the mean of the highest recalls over categories (or one) and thresholds (or one).
    ///
    /// # Panics
    /// If an index is out of range.
    pub fn average_recall(
        &self,
        category: Option<usize>,
        area: usize,
        detections: usize,
        threshold: Option<usize>,
    ) -> Option<f64> {
        self.mean(category, area, detections, threshold, |curve| {
            std::slice::from_ref(&curve.recall)
        })
    }

    fn mean<'a>(
        &'a self,
        category: Option<usize>,
        area: usize,
        detections: usize,
        threshold: Option<usize>,
        values: impl Fn(&'a Curve) -> &'a [f64],
    ) -> Option<f64> {
        let range = |one: Option<usize>, all: usize| one.map_or(0..all, |one| one..one + 1);
        let (mut sum, mut count) = (0.0, 0);
        for category in range(category, self.curves.len()) {
            for threshold in range(threshold, self.config.iou_thresholds.len()) {
                if let Some(curve) = self.curve(category, area, detections, threshold) {
                    sum += values(curve).iter().sum::<f64>();
                    count += values(curve).len();
                }
            }
        }
        (count > 0).then(|| sum / count as f64)
    }

    /// COCO's twelve numbers; `None` for those whose threshold, area or number of detections was not asked for.
    pub fn summary(&self) -> CocoSummary {
        let threshold = |value: f64| {
            let mut thresholds = self.config.iou_thresholds.iter();
            thresholds.position(|&threshold| (threshold - value).abs() < 1e-9)
        };
        let area = |name: &str| self.config.areas.iter().position(|area| area.name == name);
        let most = |count: usize| self.config.max_detections.iter().position(|&most| most == count);
        let last = self.config.max_detections.len() - 1;
        let ap = |name: &str| self.average_precision(None, area(name)?, None);
        let ap_at = |value: f64| self.average_precision(None, area("all")?, Some(threshold(value)?));
        let ar = |name: &str| self.average_recall(None, area(name)?, last, None);
        let ar_of = |count: usize| self.average_recall(None, area("all")?, most(count)?, None);
        CocoSummary {
            ap: ap("all"),
            ap50: ap_at(0.5),
            ap75: ap_at(0.75),
            ap_small: ap("small"),
            ap_medium: ap("medium"),
            ap_large: ap("large"),
            ar1: ar_of(1),
            ar10: ar_of(10),
            ar100: ar_of(100),
            ar_small: ar("small"),
            ar_medium: ar("medium"),
            ar_large: ar("large"),
        }
    }
}
