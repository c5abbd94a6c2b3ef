//! The official linear protocol: `eval/linear-sgd.json`, and the heads of VISSL on another data set: `eval/transfer-head-DATA.json`.

use super::measure::{Evaluated, Measured, Protocol, Subject, measure};
use super::request::EvaluationRequest;
use crate::error::RunError;
use crate::evaluation::{FeatureOptions, SgdProtocol, SgdResult, linear_sgd};
use anyhow::Context;
use serde::Serialize;

/// What is reported besides the accuracy after the last epoch.
#[derive(Clone, Debug, Serialize)]
pub struct SgdDetail {
    /// Rate of the classifier with the highest last top-1.
    pub rate: f64,
    /// Its weight decay.
    pub weight_decay: f64,
    /// The settings.
    pub settings: SgdProtocol,
    /// Every classifier, with its accuracy after every epoch.
    pub classifiers: Vec<SgdResult>,
}

/// Trains classifiers by the official protocol. Interrupted, the same request continues.
///
/// # Errors
/// When a run has no checkpoint, the images no labels, a file cannot be written, or it should stop.
pub fn linear_by_sgd(request: &EvaluationRequest, settings: &SgdProtocol) -> Result<Evaluated<SgdDetail>, RunError> {
    by_sgd(request, "linear-sgd".to_owned(), "sgd", settings)
}

/// [`linear_by_sgd`] on another data set, whose name is part of the file's, with a trained batch norm before the classifier
/// ([`SgdProtocol::normed`]).
///
/// # Errors
/// As [`linear_by_sgd`].
pub fn transfer_head(request: &EvaluationRequest, settings: &SgdProtocol) -> Result<Evaluated<SgdDetail>, RunError> {
    let features = FeatureOptions {
        layer: settings.layer,
        ..FeatureOptions::default()
    };
    by_sgd(request, request.transfer_name("head", &features), "head", settings)
}

fn by_sgd(
    request: &EvaluationRequest,
    name: String,
    protocol: &'static str,
    settings: &SgdProtocol,
) -> Result<Evaluated<SgdDetail>, RunError> {
    let train = |subject: &Subject<'_>| {
        let settings = SgdProtocol {
            seed: subject.seed,
            ..settings.clone()
        };
        let classifiers = linear_sgd(
            subject.network,
            &subject.hash,
            subject.sources,
            subject.config,
            &settings,
            &subject.state,
            &subject.watch,
        )?;
        let top1 = |result: &SgdResult| result.last().top1;
        let chosen = classifiers.iter().max_by(|a, b| top1(a).total_cmp(&top1(b)));
        let chosen = chosen.context("a protocol has a classifier")?;
        let best = classifiers.iter().map(|result| result.best().top1).fold(0.0, f64::max);
        let last = chosen.last();
        Ok(Measured {
            figures: [
                ("linear_top1", Some(last.top1)),
                ("linear_top5", last.top5),
                // Chosen on the test images, as the official code prints it.
                ("best_top1", Some(best)),
            ]
            .into(),
            detail: SgdDetail {
                rate: chosen.rate,
                weight_decay: chosen.weight_decay,
                settings,
                classifiers,
            },
        })
    };
    measure(
        request,
        &Protocol {
            name,
            protocol,
            is_seeded: true,
            several_labels: false,
            measure: &train,
        },
    )
}
