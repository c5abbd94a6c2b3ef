//! The `linear` command: a linear classifier on a run's frozen features, exactly or by the official protocol.

use super::figures::{Spreads, line, print};
use crate::console::print_result;
use barlow_engine::error::RunError;
use barlow_engine::evaluation::{L2, SgdProtocol};
use barlow_engine::protocols::{
    Evaluated, EvaluationRequest, ExactDetail, SgdDetail, Spread, linear_by_sgd, linear_exact,
};

const SHOWN: [(&str, &str); 2] = [("linear_top1", "linear top-1"), ("linear_top5", "top-5")];
const SHOWN_WITH_BEST: [(&str, &str); 3] = [SHOWN[0], SHOWN[1], ("best_top1", "best")];

/// Fits a classifier to convergence and prints its accuracy.
///
/// # Errors
/// As [`linear_exact`].
pub fn exact(request: &EvaluationRequest, l2: L2) -> Result<(), RunError> {
    print_exact(&linear_exact(request, l2)?);
    Ok(())
}

/// Prints the accuracy of classifiers that were fitted to convergence.
pub(super) fn print_exact(evaluated: &Evaluated<ExactDetail>) {
    print(evaluated, &SHOWN, &|run| {
        print_result(&line(&run.figures(), &SHOWN, &format!("step {}", run.step)));
    });
}

/// Trains classifiers by the official protocol and prints their accuracy.
///
/// # Errors
/// As [`linear_by_sgd`].
pub fn sgd(request: &EvaluationRequest, protocol: &SgdProtocol) -> Result<(), RunError> {
    print_sgd(&linear_by_sgd(request, protocol)?, protocol);
    Ok(())
}

/// Prints the accuracy of classifiers that were trained by SGD.
pub(super) fn print_sgd(evaluated: &Evaluated<SgdDetail>, protocol: &SgdProtocol) {
    print(evaluated, &SHOWN_WITH_BEST, &|run| {
        // A line for every pair of rate and decay, each over the seeds.
        let first = &run.trained[0].measured.detail;
        for (at, classifier) in first.classifiers.iter().enumerate() {
            let own =
                |of: &dyn Fn(usize) -> Option<f64>| Spread::of(&(0..run.trained.len()).map(of).collect::<Vec<_>>());
            let results = |seed: usize| &run.trained[seed].measured.detail.classifiers[at];
            let spreads: Spreads = [
                ("linear_top1", own(&|seed| Some(results(seed).last().top1))),
                ("linear_top5", own(&|seed| results(seed).last().top5)),
                ("best_top1", own(&|seed| Some(results(seed).best().top1))),
            ]
            .into();
            let after = format!(
                "rate {}, weight decay {}, {} epochs, step {}",
                classifier.rate, classifier.weight_decay, protocol.epochs, run.step
            );
            print_result(&line(&spreads, &SHOWN_WITH_BEST, &after));
        }
    });
}
