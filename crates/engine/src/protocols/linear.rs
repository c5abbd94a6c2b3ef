//! Logistic regression to convergence on frozen features: `eval/linear.json`, and of another data set
//! `eval/transfer-linear-DATA.json`.

use super::measure::{Evaluated, Measured, Protocol, Subject, measure};
use super::request::EvaluationRequest;
use crate::error::RunError;
use crate::evaluation::{FeatureOptions, L2, LinearWanted, Wanted};
use anyhow::Context;
use serde::Serialize;

/// What is reported besides the accuracy.
#[derive(Clone, Debug, Serialize)]
pub struct ExactDetail {
    /// `avgpool` or `2x2`.
    pub features: &'static str,
    /// `crop` or `squash`.
    pub resized: &'static str,
    /// Factor of Σ w², chosen on held-out training images in a transfer.
    pub l2: f64,
    /// L-BFGS steps.
    pub iterations: usize,
    /// Whether the tolerance was reached.
    pub converged: bool,
    /// Classes without training images, whose test images are all wrong.
    pub unseen_classes: Vec<String>,
    /// Over 15 bins.
    pub calibration_error: Option<f64>,
    /// Every class.
    pub classes: Vec<ClassEntry>,
    /// True class, predicted class, images; pairs that occur.
    pub confusion: Vec<[usize; 3]>,
}

/// Accuracy of one class.
#[derive(Clone, Debug, Serialize)]
pub struct ClassEntry {
    /// Its name.
    pub name: String,
    /// Test images.
    pub images: usize,
    /// `None` without test images.
    pub top1: Option<f64>,
}

/// Fits a classifier to convergence.
///
/// # Errors
/// When a run has no checkpoint, the images no labels, or it should stop.
pub fn linear_exact(request: &EvaluationRequest, l2: L2) -> Result<Evaluated<ExactDetail>, RunError> {
    exact(request, "linear".to_owned(), l2, &FeatureOptions::default())
}

/// [`linear_exact`] on another data set, whose name is part of the file's, with the penalty chosen on held-out training images.
///
/// # Errors
/// As [`linear_exact`].
pub fn transfer_linear(
    request: &EvaluationRequest,
    features: &FeatureOptions,
) -> Result<Evaluated<ExactDetail>, RunError> {
    exact(request, request.transfer_name("linear", features), L2::Chosen, features)
}

fn exact(
    request: &EvaluationRequest,
    name: String,
    l2: L2,
    features: &FeatureOptions,
) -> Result<Evaluated<ExactDetail>, RunError> {
    let fit = |subject: &Subject<'_>| {
        let wanted = Wanted {
            features: subject.features(features),
            ..Wanted::of(subject.config, LinearWanted::Exact(l2))
        };
        let found = subject.evaluate(&wanted)?;
        let linear = found.linear.context("a linear classifier was wanted")?;
        let fit = linear.fit.context("an exact probe was fitted")?;
        let names = &subject.sources.classes;
        let scores = fit.report.per_class.iter().zip(names);
        Ok(Measured {
            figures: [("linear_top1", Some(linear.top1)), ("linear_top5", linear.top5)].into(),
            detail: ExactDetail {
                features: features.layer.name(),
                resized: features.resized(),
                l2: fit.l2,
                iterations: fit.iterations,
                converged: fit.converged,
                unseen_classes: fit.unseen.iter().map(|&class| names[class].clone()).collect(),
                calibration_error: fit.report.calibration_error,
                classes: scores
                    .map(|(score, name)| ClassEntry {
                        name: name.clone(),
                        images: score.images,
                        top1: score.accuracy(),
                    })
                    .collect(),
                confusion: (fit.report.confusion.iter())
                    .map(|entry| [entry.truth, entry.predicted, entry.images])
                    .collect(),
            },
        })
    };
    let evaluated = measure(
        request,
        &Protocol {
            name,
            protocol: "exact",
            is_seeded: false,
            several_labels: false,
            measure: &fit,
        },
    )?;
    for of in evaluated.runs.iter().flat_map(|run| &run.trained) {
        if let [first, rest @ ..] = of.measured.detail.unseen_classes.as_slice() {
            let more = if rest.is_empty() {
                String::new()
            } else {
                format!(" and {} more", rest.len())
            };
            request.console.warn(&format!(
                "the class {first}{more} has test images and no training images: these count as wrong"
            ));
        }
    }
    Ok(evaluated)
}
