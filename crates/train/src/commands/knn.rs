//! The `knn` command: nearest neighbours on a run's frozen features.

use super::probe::ProbeRequest;
use crate::console::print_result;
use barlow_engine::error::RunError;
use barlow_engine::evaluation::{LinearWanted, Wanted};
use barlow_engine::files::write_json;
use barlow_eval::{KnnScore, Metric};
use serde::Serialize;

/// `eval/knn.json`.
#[derive(Serialize)]
struct KnnReport {
    knn_top1: f64,
    k: usize,
    temperature: f64,
    metric: &'static str,
    scores: Vec<KnnEntry>,
    data: String,
    step: u64,
}

/// Accuracy with one k and temperature.
#[derive(Serialize)]
struct KnnEntry {
    k: usize,
    temperature: f64,
    top1: f64,
    top5: Option<f64>,
}

/// Numbers of neighbours that are tried besides the config's.
const KS: [usize; 5] = [1, 5, 10, 50, 200];

/// Prints the kNN accuracy and writes `eval/knn.json`.
///
/// # Errors
/// When the run has no checkpoint, or the images no labels.
pub fn run(request: &ProbeRequest, metric: Metric) -> Result<(), RunError> {
    let eval = &request.config.eval;
    let mut wanted = Wanted::of(&request.config, LinearWanted::No);
    wanted.knn.ks.extend(KS.into_iter().filter(|&k| k != eval.knn_k));
    wanted.knn.metric = metric;
    let (accuracy, step, _) = request.evaluate(&wanted)?;
    let score = |score: &KnnScore| KnnEntry {
        k: score.k,
        temperature: score.temperature,
        top1: score.top1,
        top5: score.top5,
    };
    let report = KnnReport {
        knn_top1: accuracy.knn_top1,
        k: eval.knn_k,
        temperature: eval.knn_temperature,
        metric: match metric {
            Metric::Cosine => "cosine",
            Metric::Euclidean => "euclidean",
        },
        scores: accuracy.knn.iter().map(score).collect(),
        data: request.data(),
        step,
    };
    write_json(&request.run.evaluation("knn"), &report)?;
    print_result(&format!(
        "kNN top-1 {:.4} (k {}, T {}, step {step})",
        report.knn_top1, report.k, report.temperature
    ));
    let others = report.scores[1..]
        .iter()
        .map(|score| format!("k {} {:.4}", score.k, score.top1));
    print_result(&format!("also      {}", others.collect::<Vec<_>>().join(", ")));
    Ok(())
}
