//! The parts of a report that are tables of facts: the data set, the time, how to repeat the run, later evaluations.

use crate::config::{Change, Config, Layers, ResolvedConfig, changes, find_recipe, load};
use crate::metrics::LogLine;
use crate::program::Started;
use crate::run_dir::RunDir;
use crate::sources::{DataSummary, PartSummary};
use crate::summary::Summary;
use barlow_report::{ConfigChange, Evaluation, EvaluationTable};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::path::Path;

/// Rows of a table of a later evaluation: more are not read by anybody.
const MOST_ROWS: usize = 2000;

/// How the run was started; `None` for runs of earlier versions.
pub(super) fn started(run: &RunDir) -> Option<Started> {
    read(&run.report_data("started.json"))
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// What differs from the recipe with every value settled; `None` if that is not one of the shipped ones.
pub(super) fn changes_of_recipe(recipe: &str, config: &Config) -> Option<Vec<ConfigChange>> {
    find_recipe(recipe)?;
    let layers = Layers {
        recipe: Some(recipe.to_owned()),
        ..Layers::default()
    };
    let original = ResolvedConfig::new(load(&layers).ok()?.1);
    // The recipe's images may be elsewhere now: its path is shown as it is then.
    let located = original.clone().with_data_located();
    let original = located.unwrap_or(original).with_statistics_of(config);
    let change = |Change { key, before, after }| ConfigChange {
        key,
        recipe: before,
        run: after,
    };
    Some(changes(&original, config).into_iter().map(change).collect())
}

/// What the data set was found to be.
pub(super) fn data(run: &RunDir, config: &Config) -> Vec<(String, String)> {
    let mut rows = vec![("path".to_owned(), config.data.path.display().to_string())];
    let Some(data) = read::<DataSummary>(&run.data()) else {
        return rows;
    };
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    row(
        "format",
        serde_json::to_value(data.format)
            .ok()
            .and_then(|name| Some(name.as_str()?.to_owned()))
            .unwrap_or_default(),
    );
    row("training images", part(&data.train));
    match &data.test {
        Some(test) => row("test images", part(test)),
        None => row("test images", "none".to_owned()),
    }
    if let Some(held_out) = data.held_out {
        row(
            "held out",
            format!("{} % of the training images are the test images", 100.0 * held_out),
        );
    }
    if data.unlabelled_test > 0 {
        row(
            "not evaluated",
            format!("{} test images without labels", data.unlabelled_test),
        );
    }
    let mut left_out = barlow_data::LeftOut::default();
    for entry in data.left_out {
        left_out.add_many(entry.reason, entry.count.count, entry.count.first);
    }
    row(
        "skipped",
        if left_out.is_empty() {
            "nothing".to_owned()
        } else {
            left_out.lines().collect::<Vec<_>>().join("\n")
        },
    );
    if !data.notes.is_empty() {
        row("notes", data.notes.join("\n"));
    }
    rows
}

fn part(part: &PartSummary) -> String {
    let sizes = || part.classes.values().copied();
    match (sizes().min(), sizes().max()) {
        (Some(least), Some(most)) => {
            format!(
                "{} in {} classes, from {least} to {most} images each",
                part.images,
                part.classes.len()
            )
        }
        _ => format!("{} without labels", part.images),
    }
}

/// Where the time of a run went, in seconds by phase, from its log and its total.
pub(super) fn time(log: &[LogLine], summary: &Summary, batch_size: usize) -> Vec<(String, f64)> {
    let (mut steps, mut waiting, mut last) = (0.0, 0.0, 0);
    for line in log.iter().filter(|line| line.is_training()) {
        let (Some(step), Some(speed)) = (line.step(), line.number("images_per_second")) else {
            continue;
        };
        let seconds = step.saturating_sub(last) as f64 * batch_size as f64 / speed.max(1e-9);
        let part = line.number("data_wait").unwrap_or(0.0).clamp(0.0, 1.0);
        steps += seconds * (1.0 - part);
        waiting += seconds * part;
        last = step;
    }
    let rest = (summary.wall_seconds - steps - waiting).max(0.0);
    [
        ("training steps", steps),
        ("waiting for views", waiting),
        ("evaluation, checkpoints, start and end", rest),
    ]
    .map(|(name, seconds)| (name.to_owned(), seconds))
    .to_vec()
}

/// How to repeat the run.
pub(super) fn repeat(run: &RunDir, started: Option<&Started>, summary: &Summary) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    if let Some(started) = started {
        row("command", started.command_line());
        row("started in", started.folder.clone());
    }
    row(
        "from its config",
        format!("train --config {} --out NEW", run.config().display()),
    );
    row("seed", summary.seed.to_string());
    row("version", summary.version.clone());
    if let Some(commit) = started.and_then(|started| started.commit.as_ref()) {
        row("commit", commit.clone());
    }
    row("backend", format!("{} on {}", summary.backend, summary.device));
    if summary.backend == "cpu" {
        row(
            "note",
            "The same binary, instruction set and number of threads give the same bytes.".to_owned(),
        );
    }
    rows
}

/// The results of later evaluations, `eval/*.json`, in the order of their names: values, and lists of records as tables.
pub(super) fn evaluations(run: &RunDir) -> Vec<Evaluation> {
    let entries = std::fs::read_dir(run.root().join("eval"))
        .into_iter()
        .flatten()
        .flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort_unstable();
    let evaluation = |path: &std::path::PathBuf| {
        let name = path.file_stem()?.to_string_lossy().into_owned();
        let Value::Object(fields) = read(path)? else {
            return None;
        };
        Some(described(name, fields))
    };
    paths.iter().filter_map(evaluation).collect()
}

fn described(name: String, fields: Map<String, Value>) -> Evaluation {
    let mut out = Evaluation {
        name,
        ..Evaluation::default()
    };
    for (key, value) in fields {
        match value {
            Value::Array(records) if records.first().is_some_and(Value::is_object) => {
                out.tables.push(table(key, &records))
            }
            Value::Object(fields) => {
                out.values.extend(
                    fields
                        .iter()
                        .map(|(inner, value)| (format!("{key} {inner}"), text(value))),
                );
            }
            value => out.values.push((key, text(&value))),
        }
    }
    out
}

fn table(name: String, records: &[Value]) -> EvaluationTable {
    let mut columns: Vec<String> = Vec::new();
    // Records within records, such as the seeds of an arm, stay in the file.
    let nested = |value: &Value| {
        value
            .as_array()
            .and_then(|list| list.first())
            .is_some_and(Value::is_object)
    };
    for (key, value) in records.iter().filter_map(Value::as_object).flatten() {
        if !columns.contains(key) && !nested(value) {
            columns.push(key.clone());
        }
    }
    let row = |record: &Value| columns.iter().map(|column| text(&record[column.as_str()])).collect();
    EvaluationTable {
        rows: records.iter().take(MOST_ROWS).map(row).collect(),
        name,
        columns,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            let text = if number != 0.0 && number.abs() < 1e-3 {
                format!("{number:.3e}")
            } else {
                format!("{number:.4}")
            };
            if text.contains('e') {
                text
            } else {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
        }
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_evaluation_is_described_whatever_it_holds() {
        let Value::Object(fields) = json!({
            "linear_top1": 0.8525, "l2": 1e-6, "top5": null, "data": "a<b", "rates": [0.1, 0.2], "best": {"rate": 0.5},
            "classes": [{"class": "x", "images": 4, "seeds": [{"seed": 1}]}, {"class": "y", "accuracy": 0.5}],
        }) else {
            unreachable!()
        };
        let evaluation = described("linear".into(), fields);
        let value = |name: &str| &evaluation.values.iter().find(|(own, _)| own == name).unwrap().1;
        assert_eq!(
            ["linear_top1", "l2", "top5", "data"].map(value),
            ["0.8525", "1.000e-6", "–", "a<b"]
        );
        assert_eq!(["rates", "best rate"].map(value), ["0.1, 0.2", "0.5"]);
        let table = &evaluation.tables[0];
        assert_eq!((table.name.as_str(), table.rows.len()), ("classes", 2));
        assert_eq!(table.columns.len(), 3, "{:?}", table.columns);
        let cell = |row: usize, name: &str| &table.rows[row][table.columns.iter().position(|own| own == name).unwrap()];
        assert_eq!(
            [cell(0, "images"), cell(0, "accuracy"), cell(1, "accuracy")],
            ["4", "–", "0.5"]
        );
    }

    #[test]
    fn what_differs_from_the_recipe_is_listed() {
        let layers = Layers {
            recipe: Some("smoke".into()),
            sets: vec!["train.epochs=7".into()],
            ..Layers::default()
        };
        let config = ResolvedConfig::new(load(&layers).unwrap().1)
            .with_data_located()
            .unwrap();
        let found = changes_of_recipe("smoke", &config).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (found[0].key.as_str(), found[0].run.as_deref()),
            ("train.epochs", Some("7"))
        );
        assert_eq!(changes_of_recipe("my-own", &config), None);
    }
}
