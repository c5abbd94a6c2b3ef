//! The official linear protocol: `eval/linear-sgd.json`.

use super::measure::{Evaluated, Measured, Protocol, Subject, measure};
use super::request::EvaluationRequest;
use crate::error::RunError;
use crate::evaluation::{SgdProtocol, SgdResult, linear_sgd};
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
            name: "linear-sgd".to_owned(),
            protocol: "sgd",
            is_seeded: true,
            several_labels: false,
            measure: &train,
        },
    )
}
