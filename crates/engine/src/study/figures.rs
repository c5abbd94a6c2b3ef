//! The figures of a study, in the form of the paper's.

use super::results::{CellResult, Measure, Spread, StudyResults};
use super::study::Axis;
use barlow_report::{MeasuredPoint, MeasuredSeries, StudyFigure};

/// A figure with the name of its file.
#[derive(Clone, Debug)]
pub struct NamedFigure {
    /// Name without ending.
    pub name: &'static str,
    /// Alternative text.
    pub title: String,
    /// A complete SVG document.
    pub svg: String,
}

/// Our figure, and the paper's numbers as another where it has two or more; none without results.
pub(super) fn figures(results: &StudyResults, axis: &Axis) -> Vec<NamedFigure> {
    let ours = ours(results, axis);
    let papers = papers(results, axis);
    let named = |(name, figure): (&'static str, StudyFigure)| NamedFigure {
        name,
        title: figure.title.clone(),
        svg: figure.svg(),
    };
    [("ours", ours), ("paper", papers)]
        .into_iter()
        .filter_map(|(name, figure)| Some((name, figure?)))
        .map(named)
        .collect()
}

fn ours(results: &StudyResults, axis: &Axis) -> Option<StudyFigure> {
    let measure = results.measure;
    let is_difference = *axis == Axis::Differences;
    let value = |cell: &CellResult| match is_difference {
        // The baseline's own difference is 0, without a deviation.
        true if results.baseline.as_ref() == Some(&cell.cell) => cell.measured(measure).map(|_| Spread {
            mean: 0.0,
            std: None,
            count: 1,
        }),
        true => cell.difference,
        false => cell.measured(measure),
    };
    let mut series = vec![series(results, measure.label(), measure.scale(), &value)?];
    if measure == Measure::LinearTop1 && !is_difference {
        series.extend(self::series(results, "kNN top-1", 100.0, &|cell: &CellResult| {
            cell.knn_top1
        }));
    }
    let untrained = match measure {
        Measure::LinearTop1 if !is_difference => mean_of(results, &|cell: &CellResult| cell.untrained_linear_top1),
        Measure::KnnTop1 if !is_difference => mean_of(results, &|cell: &CellResult| cell.untrained_knn_top1),
        _ => None,
    };
    let y_label = match (is_difference, measure) {
        (true, Measure::Loss) => "difference to the baseline's loss".to_owned(),
        (true, _) => format!("{}, difference to the baseline (points)", measure.label()),
        (false, Measure::Loss) => "loss".to_owned(),
        (false, _) => "top-1 accuracy (%)".to_owned(),
    };
    Some(figure(
        format!(
            "{}: {}, mean and standard deviation over seeds",
            results.title, results.recipe
        ),
        y_label,
        axis,
        series,
        untrained.map(|untrained| (format!("untrained, {}", measure.label()), 100.0 * untrained)),
    ))
}

fn papers(results: &StudyResults, axis: &Axis) -> Option<StudyFigure> {
    let value = |cell: &CellResult| {
        cell.paper_top1.map(|mean| Spread {
            mean,
            std: None,
            count: 1,
        })
    };
    let series = series(results, "the paper's linear top-1", 100.0, &value)?;
    let source = results.source.clone().unwrap_or_default();
    (series.points.len() > 1).then(|| figure(source, "top-1 accuracy (%)".to_owned(), axis, vec![series], None))
}

fn figure(
    title: String,
    y_label: String,
    axis: &Axis,
    series: Vec<MeasuredSeries>,
    reference: Option<(String, f64)>,
) -> StudyFigure {
    let (x_label, log_x) = match axis {
        Axis::Number { label, log } => (Some(label.clone()), *log),
        Axis::Names | Axis::Differences => (None, false),
    };
    StudyFigure {
        title,
        x_label,
        log_x,
        y_label,
        series,
        reference,
    }
}

fn series(
    results: &StudyResults,
    name: &str,
    scale: f64,
    value: &dyn Fn(&CellResult) -> Option<Spread>,
) -> Option<MeasuredSeries> {
    let points = results.cells.iter().enumerate().filter_map(|(number, cell)| {
        let Spread { mean, std, .. } = value(cell)?;
        let label = match cell.x {
            Some(x) => x.to_string(),
            None => cell.label.clone(),
        };
        Some(MeasuredPoint {
            label,
            x: cell.x.unwrap_or(number as f64),
            mean: mean * scale,
            deviation: std.map(|std| std * scale),
        })
    });
    let points: Vec<MeasuredPoint> = points.collect();
    (!points.is_empty()).then(|| MeasuredSeries {
        name: name.to_owned(),
        points,
    })
}

/// The mean of a measure over all cells.
fn mean_of(results: &StudyResults, value: &dyn Fn(&CellResult) -> Option<Spread>) -> Option<f64> {
    let means: Vec<f64> = results
        .cells
        .iter()
        .filter_map(|cell| Some(value(cell)?.mean))
        .collect();
    (!means.is_empty()).then(|| means.iter().sum::<f64>() / means.len() as f64)
}
