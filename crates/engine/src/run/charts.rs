//! The charts of a report, drawn from a run's metrics log.

use crate::method::Chart;
use crate::metrics::LogLine;
use barlow_report::{Curve, Series};

/// Heading of the chart of the spectra.
pub(super) const SPECTRUM: &str = "Spectrum of the embeddings' correlation matrix";

/// Charts of the loss, the method's readings, kNN accuracy, effective rank, spectrum and learning rate. Series and charts without
/// points are dropped.
pub(super) fn curves(log: &[LogLine], of_method: &[Chart]) -> Vec<Curve> {
    let training: Vec<_> = log.iter().filter(|line| line.is_training()).collect();
    let evaluations: Vec<_> = log.iter().filter(|line| line.is_evaluation()).collect();
    let of = |lines: &[&LogLine], field: &str| -> Vec<(f64, f64)> {
        lines
            .iter()
            .filter_map(|line| Some((line.step()? as f64, line.number(field)?)))
            .collect()
    };
    let points = |field: &str| of(&training, field);
    let evaluated = |field: &str| of(&evaluations, field);
    let chart = |title: &str, y_label: &str, log_y, series| Curve {
        title: title.to_owned(),
        x_label: "step".to_owned(),
        y_label: y_label.to_owned(),
        log_y,
        series,
    };
    let loss = points("loss");
    // SimSiam's is negative.
    let is_positive = loss.iter().all(|&(_, loss)| loss > 0.0);
    let mut curves = vec![chart(
        "Loss",
        "loss",
        is_positive,
        vec![
            Series::line("loss", loss),
            Series::reference("floor", points("loss_floor")),
        ],
    )];
    curves.extend(of_method.iter().map(|Chart { title, readings, log }| {
        let lines = readings.iter().map(|name| Series::line(*name, points(name)));
        chart(title, "value", *log, lines.collect())
    }));
    curves.extend([
        chart(
            "kNN and probes",
            "top-1 accuracy, fraction of 1",
            false,
            vec![
                Series::line("kNN on the test images", evaluated("knn_top1")),
                Series::line("linear probe on the test images", evaluated("linear_top1")),
                Series::line("online probe on the views of a step", points("online_top1")),
            ],
        ),
        chart(
            "Effective rank (directions in use)",
            "directions",
            true,
            vec![
                Series::line("effective_rank", evaluated("effective_rank")),
                Series::line("embedding_rank", evaluated("embedding_rank")),
            ],
        ),
        Curve {
            x_label: "eigenvalue, in descending order".to_owned(),
            ..chart(SPECTRUM, "fraction of the variance", true, spectra(&evaluations))
        },
        chart(
            "Throughput",
            "images/s",
            false,
            vec![Series::line("images_per_second", points("images_per_second"))],
        ),
        chart(
            "Learning rate",
            "rate",
            false,
            vec![Series::line("lr_weights", points("lr_weights"))],
        ),
    ]);
    // Without labels there are no evaluations, and not every loss has a known floor.
    for curve in &mut curves {
        curve.series.retain(|series| !series.points.is_empty());
    }
    curves.retain(|curve| !curve.series.is_empty());
    curves
}

/// The spectra of the first and the last evaluation that logged one.
fn spectra(evaluations: &[&LogLine]) -> Vec<Series> {
    let mut logged = evaluations
        .iter()
        .map(|line| (line, line.numbers("embedding_spectrum")))
        .filter(|(_, spectrum)| !spectrum.is_empty());
    let (first, last) = (logged.next(), logged.next_back());
    let line = |(line, spectrum): (&&LogLine, Vec<f64>)| {
        let places = (1..).map(f64::from);
        let epoch = line.number("epoch").unwrap_or_default();
        Series::line(format!("epoch {epoch}"), places.zip(spectrum).collect())
    };
    first.into_iter().chain(last).map(line).collect()
}
