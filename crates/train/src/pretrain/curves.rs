//! The charts of a report, from a run's log.

use crate::metrics::{EvaluationMetric, Metric, TrainingMetric};
use crate::report::{Curve, Series};

/// Loss, terms, accuracy, directions in use, rates; a chart without points is left out by the report.
pub(super) fn curves(metrics: &[Metric]) -> Vec<Curve> {
    let training: Vec<_> = metrics
        .iter()
        .filter_map(|metric| match metric {
            Metric::Training(metric) => Some(metric),
            Metric::Evaluation(_) => None,
        })
        .collect();
    let evaluations: Vec<_> = metrics
        .iter()
        .filter_map(|metric| match metric {
            Metric::Evaluation(metric) => Some(metric),
            Metric::Training(_) => None,
        })
        .collect();
    let evaluated = |value: &dyn Fn(&EvaluationMetric) -> Option<f64>| -> Vec<(f64, f64)> {
        evaluations
            .iter()
            .filter_map(|metric| Some((metric.step as f64, value(metric)?)))
            .collect()
    };
    let points = |value: &dyn Fn(&TrainingMetric) -> f64| -> Vec<(f64, f64)> {
        training
            .iter()
            .map(|metric| (metric.step as f64, value(metric)))
            .collect()
    };
    let floor: Vec<_> = training
        .iter()
        .filter_map(|metric| Some((metric.step as f64, metric.loss_floor?)))
        .collect();
    let chart = |title: &str, y_label: &str, log_y, series| Curve {
        title: title.to_owned(),
        x_label: "step".to_owned(),
        y_label: y_label.to_owned(),
        log_y,
        series,
    };
    let mut curves = vec![
        chart(
            "Loss",
            "loss",
            true,
            vec![
                Series::line("loss", points(&|metric| metric.values.loss)),
                Series::reference("floor", floor),
            ],
        ),
        chart(
            "The two terms",
            "value",
            true,
            vec![
                Series::line("invariance", points(&|metric| metric.values.invariance)),
                Series::line(
                    "redundancy_reduction",
                    points(&|metric| metric.values.redundancy_reduction),
                ),
            ],
        ),
        chart(
            "kNN on the test images",
            "top-1 accuracy",
            false,
            vec![Series::line("knn_top1", evaluated(&|metric| Some(metric.knn_top1)))],
        ),
        chart(
            "Directions in use (effective rank)",
            "directions",
            true,
            vec![
                Series::line("effective_rank", evaluated(&|metric| metric.effective_rank)),
                Series::line("embedding_rank", evaluated(&|metric| metric.embedding_rank)),
            ],
        ),
        Curve {
            x_label: "direction".to_owned(),
            ..chart(
                "Spectrum of the embeddings' correlation matrix",
                "part of the variance",
                true,
                spectra(&evaluations),
            )
        },
        chart(
            "Learning rate",
            "rate",
            false,
            vec![Series::line("lr_weights", points(&|metric| metric.lr_weights))],
        ),
    ];
    // Without labels nothing was evaluated; many a loss has no floor.
    for curve in &mut curves {
        curve.series.retain(|series| !series.points.is_empty());
    }
    curves.retain(|curve| !curve.series.is_empty());
    curves
}

/// That of the first evaluation and that of the last.
fn spectra(evaluations: &[&EvaluationMetric]) -> Vec<Series> {
    let mut told = evaluations
        .iter()
        .filter(|metric| !metric.embedding_spectrum.is_empty());
    let (first, last) = (told.next(), told.next_back());
    let line = |metric: &&EvaluationMetric| {
        let places = (1..).map(f64::from);
        let points = places.zip(metric.embedding_spectrum.iter().copied());
        Series::line(format!("epoch {}", metric.epoch), points.collect())
    };
    first.into_iter().chain(last).map(line).collect()
}
