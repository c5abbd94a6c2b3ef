//! The `knn` command: nearest neighbours on a run's frozen features.

use super::probe::ProbeRequest;
use crate::console::print_result;
use barlow_engine::error::RunError;
use barlow_engine::evaluation::LinearWanted;
use barlow_engine::files::write_json;
use serde::Serialize;

/// `eval/knn.json`.
#[derive(Serialize)]
struct KnnReport {
    knn_top1: f64,
    k: usize,
    temperature: f64,
    data: String,
    step: u64,
}

/// Prints the kNN accuracy and writes `eval/knn.json`.
///
/// # Errors
/// When the run has no checkpoint, or the images no labels.
pub fn run(request: &ProbeRequest) -> Result<(), RunError> {
    let (accuracy, step) = request.evaluate(LinearWanted::No)?;
    let eval = &request.config.eval;
    let report = KnnReport {
        knn_top1: accuracy.knn_top1,
        k: eval.knn_k,
        temperature: eval.knn_temperature,
        data: request.data(),
        step,
    };
    write_json(&request.run.evaluation("knn"), &report)?;
    print_result(&format!(
        "kNN top-1 {:.4} (k {}, T {}, step {step})",
        report.knn_top1, report.k, report.temperature
    ));
    Ok(())
}
