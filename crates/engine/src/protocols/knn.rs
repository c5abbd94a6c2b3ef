//! Nearest neighbours on frozen features: `eval/knn.json`.

use super::measure::{Evaluated, Measured, Protocol, Subject, measure};
use super::request::EvaluationRequest;
use crate::error::RunError;
use crate::evaluation::{LinearWanted, Wanted};
use barlow_eval::{KnnScore, Metric};
use serde::Serialize;

/// What is reported besides the accuracy.
#[derive(Clone, Debug, Serialize)]
pub struct KnnDetail {
    /// The config's number of neighbours.
    pub k: usize,
    /// The config's temperature.
    pub temperature: f64,
    /// `cosine` or `euclidean`.
    pub metric: &'static str,
    /// Accuracy with every k; the config's is the first.
    pub scores: Vec<KnnEntry>,
}

/// Accuracy with one k and temperature.
#[derive(Clone, Debug, Serialize)]
pub struct KnnEntry {
    /// Neighbours.
    pub k: usize,
    /// How many voted: `k`, or all training images if there are fewer.
    pub voters: usize,
    /// Temperature.
    pub temperature: f64,
    /// Top-1, a fraction of 1.
    pub top1: f64,
    /// Top-5; `None` with five classes or fewer.
    pub top5: Option<f64>,
}

/// Numbers of neighbours that are tried besides the config's.
const KS: [usize; 5] = [1, 5, 10, 50, 200];

/// Classifies the test images by their neighbours.
///
/// # Errors
/// When a run has no checkpoint, the images no labels, or it should stop.
pub fn knn(request: &EvaluationRequest, metric: Metric) -> Result<Evaluated<KnnDetail>, RunError> {
    let classify = |subject: &Subject<'_>| {
        let eval = &subject.config.eval;
        let mut wanted = Wanted::of(subject.config, LinearWanted::No);
        wanted.knn.ks.extend(KS.into_iter().filter(|&k| k != eval.knn_k));
        wanted.knn.metric = metric;
        wanted.features = subject.features.clone();
        let found = subject.evaluate(&wanted)?;
        let entry = |score: &KnnScore| KnnEntry {
            k: score.k,
            voters: score.voters,
            temperature: score.temperature,
            top1: score.top1,
            top5: score.top5,
        };
        if let Some(score) = found.knn.first().filter(|score| score.voters < score.k) {
            subject.watch.console.warn(&format!(
                "k is {} and there are only {} training images: all of them vote (eval.knn_k)",
                score.k, score.voters
            ));
        }
        Ok(Measured {
            figures: [("knn_top1", Some(found.knn_top1))].into(),
            detail: KnnDetail {
                k: eval.knn_k,
                temperature: eval.knn_temperature,
                metric: match metric {
                    Metric::Cosine => "cosine",
                    Metric::Euclidean => "euclidean",
                },
                scores: found.knn.iter().map(entry).collect(),
            },
        })
    };
    measure(
        request,
        &Protocol {
            name: "knn".to_owned(),
            protocol: "knn",
            is_seeded: false,
            several_labels: false,
            measure: &classify,
        },
    )
}
