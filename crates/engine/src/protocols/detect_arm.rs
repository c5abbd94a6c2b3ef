//! The results of detectors: of one seed, and of one start over the seeds.

use super::figures::Spread;
use crate::detect::{DetectorStart, Scores, VocScores};
use barlow_data::DetectionLayout;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One start, over the seeds: means and standard deviations (null for one seed).
#[derive(Clone, Debug, Serialize)]
pub struct DetectArm {
    /// Where its backbone starts.
    pub start: DetectorStart,
    /// Average precision of boxes, over overlaps of .50 to .95.
    pub ap: Option<f64>,
    /// Its deviation.
    pub ap_std: Option<f64>,
    /// At an overlap of .50.
    pub ap50: Option<f64>,
    /// Its deviation.
    pub ap50_std: Option<f64>,
    /// At an overlap of .75.
    pub ap75: Option<f64>,
    /// Its deviation.
    pub ap75_std: Option<f64>,
    /// Average precision of masks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_ap: Option<f64>,
    /// At an overlap of .50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_ap50: Option<f64>,
    /// At an overlap of .75.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_ap75: Option<f64>,
    /// Every seed.
    pub seeds: Vec<DetectSeed>,
}

/// The result of one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectSeed {
    /// Seed of the heads' weights, the order, the views and the samples.
    pub seed: u64,
    /// The run that trained it, with COCO's result file `detections.json`.
    pub run: PathBuf,
    /// Seconds it took.
    pub seconds: f64,
    /// Test images that could not be decoded and are not counted.
    pub skipped: usize,
    /// Of boxes.
    #[serde(rename = "box")]
    pub boxes: Scores,
    /// Of masks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Scores>,
}

/// The seeds of a start together.
pub(super) fn arm(start: DetectorStart, layout: DetectionLayout, seeds: Vec<DetectSeed>) -> DetectArm {
    let spread = |of: &dyn Fn(&DetectSeed) -> Option<f64>| Spread::of(&seeds.iter().map(of).collect::<Vec<_>>());
    let is_voc = layout == DetectionLayout::Voc;
    let boxes = |of_voc: fn(&VocScores) -> Option<f64>, of_coco: fn(&Scores) -> Option<f64>| {
        spread(&|seed: &DetectSeed| match (&seed.boxes.voc, is_voc) {
            (Some(voc), true) => of_voc(voc),
            _ => of_coco(&seed.boxes),
        })
    };
    let mask = |of: fn(&Scores) -> Option<f64>| spread(&|seed: &DetectSeed| of(seed.mask.as_ref()?)).mean;
    let [ap, ap50, ap75] = [
        boxes(|voc| voc.ap, |coco| coco.ap),
        boxes(|voc| voc.ap50, |coco| coco.ap50),
        boxes(|voc| voc.ap75, |coco| coco.ap75),
    ];
    DetectArm {
        start,
        ap: ap.mean,
        ap_std: ap.std,
        ap50: ap50.mean,
        ap50_std: ap50.std,
        ap75: ap75.mean,
        ap75_std: ap75.std,
        mask_ap: mask(|mask| mask.ap),
        mask_ap50: mask(|mask| mask.ap50),
        mask_ap75: mask(|mask| mask.ap75),
        seeds,
    }
}

impl DetectArm {
    /// AP, AP50 and AP75 of boxes over the seeds.
    pub fn spreads(&self) -> [Spread; 3] {
        let count = self.seeds.len();
        [
            (self.ap, self.ap_std),
            (self.ap50, self.ap50_std),
            (self.ap75, self.ap75_std),
        ]
        .map(|(mean, std)| Spread { mean, std, count })
    }
}
