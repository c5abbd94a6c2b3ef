//! The `knn` command: nearest neighbours on a run's frozen features.

use super::figures::{line, print};
use crate::console::print_result;
use barlow_engine::error::RunError;
use barlow_engine::protocols::{EvaluationRequest, knn};
use barlow_eval::Metric;

const SHOWN: [(&str, &str); 1] = [("knn_top1", "kNN top-1")];

/// Evaluates and prints the accuracy.
///
/// # Errors
/// As [`knn`].
pub fn run(request: &EvaluationRequest, metric: Metric) -> Result<(), RunError> {
    print(&knn(request, metric)?, &SHOWN, &|run| {
        let detail = &run.trained[0].measured.detail;
        let after = format!("k {}, T {}, step {}", detail.k, detail.temperature, run.step);
        print_result(&line(&run.figures(), &SHOWN, &after));
        let others = detail.scores[1..]
            .iter()
            .map(|score| format!("k {} {:.4}", score.k, score.top1));
        print_result(&format!("also      {}", others.collect::<Vec<_>>().join(", ")));
    });
    Ok(())
}
