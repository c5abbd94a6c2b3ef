//! The table of a study, as text, Markdown and CSV.

use super::results::{CellResult, Measure, RunState, Spread, StudyResults};
use crate::summary::Summary;
use crate::units::duration;

/// Heading and rows of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StudyTable {
    /// Headings.
    pub header: Vec<String>,
    /// Rows, as long as the heading.
    pub rows: Vec<Vec<String>>,
}

impl StudyTable {
    /// The table of a study: mean ± standard deviation over seeds; columns that no cell fills are missing.
    pub fn of(results: &StudyResults) -> Self {
        let measure = results.measure;
        let is_accuracy = measure != Measure::Loss;
        let percent = |spread: Option<Spread>| spread.map(|spread| text(spread, 100.0, false));
        let untrained = |cell: &CellResult| match measure {
            Measure::LinearTop1 => percent(cell.untrained_linear_top1),
            _ => percent(cell.untrained_knn_top1),
        };
        let difference = |cell: &CellResult| cell.difference.map(|spread| text(spread, measure.scale(), true));
        let paper = |cell: &CellResult| cell.paper_top1.map(|top1| format!("{:.1}", 100.0 * top1));
        let papers_difference =
            |cell: &CellResult| cell.paper_difference.map(|points| format!("{:+.1}", 100.0 * points));
        type Column<'a> = (String, Box<dyn Fn(&CellResult) -> Option<String> + 'a>);
        let mut columns: Vec<Column<'_>> = vec![(
            "cell".to_owned(),
            Box::new(|cell: &CellResult| Some(cell.label.clone())),
        )];
        let unit = if is_accuracy { ", %" } else { "" };
        columns.push((
            format!("{}{unit}", measure.label()),
            Box::new(move |cell: &CellResult| {
                Some(
                    cell.measured(measure)
                        .map_or("–".to_owned(), |spread| text(spread, measure.scale(), false)),
                )
            }),
        ));
        columns.push(("to baseline".to_owned(), Box::new(difference)));
        if measure == Measure::LinearTop1 {
            columns.push((
                "kNN top-1, %".to_owned(),
                Box::new(move |cell: &CellResult| percent(cell.knn_top1)),
            ));
        }
        if is_accuracy {
            columns.push(("untrained, %".to_owned(), Box::new(untrained)));
        }
        columns.push(("paper, %".to_owned(), Box::new(paper)));
        columns.push(("paper's to baseline".to_owned(), Box::new(papers_difference)));
        if is_accuracy {
            columns.push((
                "loss".to_owned(),
                Box::new(|cell: &CellResult| cell.loss.map(|spread| text(spread, 1.0, false))),
            ));
        }
        let floor = |cell: &CellResult| cell.loss_floor.map(|floor| format!("{:.2}", floor.mean));
        columns.push(("floor".to_owned(), Box::new(floor)));
        let time = |cell: &CellResult| cell.wall_seconds.map(|seconds| duration(seconds.mean));
        columns.push(("time".to_owned(), Box::new(time)));
        columns.push(("runs".to_owned(), Box::new(|cell: &CellResult| Some(runs(cell)))));
        let columns: Vec<(String, Vec<Option<String>>)> = columns
            .into_iter()
            .map(|(name, value)| (name, results.cells.iter().map(value).collect::<Vec<_>>()))
            .filter(|(_, values)| values.iter().any(Option::is_some))
            .collect();
        let row = |number: usize| -> Vec<String> {
            let cell = |values: &Vec<Option<String>>| values[number].clone().unwrap_or_default();
            columns.iter().map(|(_, values)| cell(values)).collect()
        };
        Self {
            header: columns.iter().map(|(name, _)| name.clone()).collect(),
            rows: (0..results.cells.len()).map(row).collect(),
        }
    }

    /// Columns aligned by spaces.
    pub fn text(&self) -> String {
        let width = |column: usize| {
            let cells = std::iter::once(&self.header).chain(&self.rows);
            cells.map(|row| row[column].chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(text, &width)| format!("{text:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        std::iter::once(&self.header)
            .chain(&self.rows)
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// A Markdown table.
    pub fn markdown(&self) -> String {
        let cell = |text: &String| text.replace('\\', "\\\\").replace('|', "\\|").replace('\n', " ");
        let line = |row: &Vec<String>| format!("| {} |", row.iter().map(cell).collect::<Vec<_>>().join(" | "));
        let rule = format!("|{}", "---|".repeat(self.header.len()));
        let rows = self.rows.iter().map(line);
        let lines: Vec<String> = [line(&self.header), rule].into_iter().chain(rows).collect();
        lines.join("\n") + "\n"
    }
}

/// `71.20 ± 0.31`; with a sign if `signed`.
fn text(spread: Spread, scale: f64, signed: bool) -> String {
    let mean = spread.mean * scale;
    let mean = if signed {
        format!("{mean:+.2}")
    } else {
        format!("{mean:.2}")
    };
    match spread.std {
        Some(std) => format!("{mean} ± {:.2}", std * scale),
        None => mean,
    }
}

/// How many runs are finished, and what became of the others.
fn runs(cell: &CellResult) -> String {
    let done = cell.runs.iter().filter(|run| run.state == RunState::Done).count();
    let mut out = if done == cell.runs.len() {
        done.to_string()
    } else {
        format!("{done} of {}", cell.runs.len())
    };
    for run in &cell.runs {
        match (run.state, &run.error) {
            (RunState::Failed, Some(error)) => out.push_str(&format!("; seed {} failed: {error}", run.seed)),
            (RunState::Interrupted, _) => out.push_str(&format!("; seed {} interrupted", run.seed)),
            _ => {}
        }
    }
    out
}

/// A row per run, for other programs: numbers as they were measured, accuracies as fractions of 1.
pub fn csv(results: &StudyResults) -> String {
    let mut keys: Vec<&str> = Vec::new();
    for key in results.cells.iter().flat_map(|cell| cell.settings.keys()) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    let fixed = [
        "study",
        "cell",
        "label",
        "x",
        "seed",
        "state",
        "error",
        "linear_top1",
        "linear_top5",
        "knn_top1",
        "untrained_linear_top1",
        "untrained_knn_top1",
        "loss",
        "loss_floor",
        "steps",
        "epochs",
        "images_per_second",
        "wall_seconds",
        "backend",
        "device",
        "paper_top1",
        "paper_top5",
    ];
    let mut out = line(fixed.iter().chain(&keys).map(|name| (*name).to_owned()));
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    for cell in &results.cells {
        for run in &cell.runs {
            let summary = run.summary.as_ref();
            let of = |value: &dyn Fn(&Summary) -> Option<f64>| number(summary.and_then(value));
            let word = |value: &dyn Fn(&Summary) -> String| summary.map_or(String::new(), value);
            let state = serde_json::to_value(run.state).ok();
            let state = state.as_ref().and_then(|state| state.as_str()).unwrap_or_default();
            let values = [
                results.study.clone(),
                cell.cell.clone(),
                cell.label.clone(),
                number(cell.x),
                run.seed.to_string(),
                state.to_owned(),
                run.error.clone().unwrap_or_default(),
                of(&|summary| summary.linear_top1),
                of(&|summary| summary.linear_top5),
                of(&|summary| summary.knn_top1),
                of(&|summary| summary.untrained_linear_top1),
                of(&|summary| summary.untrained_knn_top1),
                of(&|summary| Some(summary.loss)),
                of(&|summary| summary.loss_floor),
                word(&|summary| summary.steps.to_string()),
                word(&|summary| summary.epochs.to_string()),
                of(&|summary| Some(summary.images_per_second)),
                of(&|summary| Some(summary.wall_seconds)),
                word(&|summary| summary.backend.clone()),
                word(&|summary| summary.device.clone()),
                number(cell.paper_top1),
                number(cell.paper_top5),
            ];
            let settings = keys.iter().map(|key| match cell.settings.get(*key) {
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(value) => value.to_string(),
                None => String::new(),
            });
            out.push_str(&line(values.into_iter().chain(settings)));
        }
    }
    out
}

/// A line of RFC 4180.
fn line(values: impl Iterator<Item = String>) -> String {
    let quoted = values.map(|value| match value.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", value.replace('"', "\"\"")),
        false => value,
    });
    quoted.collect::<Vec<_>>().join(",") + "\r\n"
}
