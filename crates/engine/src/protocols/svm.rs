//! Support vector machines on the features of images with several labels: `eval/transfer-svm-DATA.json`.

use super::measure::{Evaluated, Measured, Protocol, Subject, measure};
use super::request::EvaluationRequest;
use crate::error::RunError;
use crate::evaluation::{FeatureOptions, multi_label_svm};
use barlow_eval::{SvmClass, SvmConfig};
use serde::Serialize;

/// What is reported besides the mean average precision.
#[derive(Clone, Debug, Serialize)]
pub struct SvmDetail {
    /// `avgpool` or `2x2`.
    pub features: &'static str,
    /// `crop` or `squash`.
    pub resized: &'static str,
    /// Classes without test images, which are no part of the means.
    pub undefined: usize,
    /// Every class.
    pub classes: Vec<SvmEntry>,
}

/// One class.
#[derive(Clone, Debug, Serialize)]
pub struct SvmEntry {
    /// Its name.
    pub name: String,
    /// Area under the precision-recall curve.
    pub ap: Option<f64>,
    /// Average precision at eleven recalls.
    pub ap_11_point: Option<f64>,
    /// Training images that show it.
    pub positives: usize,
    /// Test images that show only difficult objects of it, which are not ranked.
    pub difficult: Option<usize>,
    /// The chosen C.
    pub cost: Option<f64>,
    /// Whether all fits reached the tolerance.
    pub converged: bool,
}

/// Fits a support vector machine per class. `map` is the mean area under the precision-recall curve (VISSL's mAP), `map_11_point`
/// VOC07's own.
///
/// # Errors
/// When a run has no checkpoint, the images no labels, or it should stop.
pub fn transfer_svm(request: &EvaluationRequest, features: &FeatureOptions) -> Result<Evaluated<SvmDetail>, RunError> {
    let fit = |subject: &Subject<'_>| {
        let found = multi_label_svm(
            subject.network,
            subject.sources,
            subject.config,
            &SvmConfig::default(),
            &subject.features(features),
            &subject.watch,
        )?;
        let entry = |(class, name): (&SvmClass, &String)| SvmEntry {
            name: name.clone(),
            ap: class.average_precision.map(|ap| ap.area),
            ap_11_point: class.average_precision.map(|ap| ap.eleven_point),
            positives: class.positives,
            difficult: class.average_precision.map(|ap| ap.left_out),
            cost: class.cost,
            converged: class.converged,
        };
        Ok(Measured {
            figures: [
                ("map", found.mean_area.mean),
                ("map_11_point", found.mean_eleven_point.mean),
            ]
            .into(),
            detail: SvmDetail {
                features: features.layer.name(),
                resized: features.resized(),
                undefined: found.mean_area.undefined,
                classes: found
                    .classes
                    .iter()
                    .zip(subject.sources.train.classes())
                    .map(entry)
                    .collect(),
            },
        })
    };
    measure(
        request,
        &Protocol {
            name: request.transfer_name("svm", features),
            protocol: "svm",
            is_seeded: false,
            several_labels: true,
            measure: &fit,
        },
    )
}
