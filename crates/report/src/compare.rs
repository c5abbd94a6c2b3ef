//! Several runs side by side: results, what differs in their configs, and whether differences are more than those of seeds.

use crate::chart::Look;
use crate::data::{Curve, ReportData, Series};
use crate::html::percent;
use crate::significance::{Sample, welch};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The key that differs between the runs of one setting.
const SEED: &str = "run.seed";

/// The results as a table: a row per name, a column per run.
pub(crate) fn results(runs: &[ReportData]) -> Markup {
    let accuracies: Vec<BTreeMap<&str, String>> = runs.iter().map(accuracies).collect();
    let summaries: Vec<BTreeMap<&str, &str>> = (runs.iter())
        .map(|run| {
            run.summary
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect()
        })
        .collect();
    let of_accuracy = names(
        runs.iter()
            .flat_map(|run| run.accuracy.iter().map(|row| row.name.as_str())),
    );
    let of_summary = names(
        runs.iter()
            .flat_map(|run| run.summary.iter().map(|(name, _)| name.as_str())),
    );
    html! {
        @if !(of_accuracy.is_empty() && of_summary.is_empty()) {
            div.wide { table.runs {
                thead { tr { th scope="col" { "Run" } @for run in runs { th scope="col" { (run.title) } } } }
                tbody {
                    @for name in of_accuracy {
                        tr.strong {
                            th scope="row" { (name) }
                            @for run in &accuracies { td { (run.get(name).map_or("–", String::as_str)) } }
                        }
                    }
                    @for name in of_summary {
                        tr {
                            th scope="row" { (name) }
                            @for run in &summaries { td { (run.get(name).unwrap_or(&"–")) } }
                        }
                    }
                }
            } }
        }
    }
}

fn accuracies(run: &ReportData) -> BTreeMap<&str, String> {
    let text = |trained: Option<f64>, untrained: Option<f64>| {
        let trained = trained.filter(|part| part.is_finite()).map_or("–".to_owned(), percent);
        let untrained = untrained.filter(|part| part.is_finite());
        let before = untrained.map_or(String::new(), |part| format!(" ({} {})", run.before, percent(part)));
        trained + &before
    };
    run.accuracy
        .iter()
        .map(|row| (row.name.as_str(), text(row.trained, row.untrained)))
        .collect()
}

/// Each name once, in order of appearance.
fn names<'a>(all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut out = Vec::new();
    for name in all {
        if !out.contains(&name) {
            out.push(name);
        }
    }
    out
}

fn value<'a>(run: &'a ReportData, key: &str) -> Option<&'a str> {
    run.config
        .iter()
        .find(|(own, _)| own == key)
        .map(|(_, value)| value.as_str())
}

/// Keys whose values are not the same in all runs.
fn differing(runs: &[ReportData]) -> Vec<&str> {
    let keys = names(
        runs.iter()
            .flat_map(|run| run.config.iter().map(|(key, _)| key.as_str())),
    );
    let differs = |key: &&str| runs.iter().any(|run| value(run, key) != value(&runs[0], key));
    keys.into_iter().filter(differs).collect()
}

/// What differs in the configs, as a table; cells that differ from the first run's are highlighted.
pub(crate) fn config(runs: &[ReportData]) -> Markup {
    let keys = differing(runs);
    html! {
        @if runs.iter().any(|run| !run.config.is_empty()) {
            @if keys.is_empty() { p { "The configs of all runs are equal." } } @else {
                div.wide { table.runs {
                    thead { tr { th scope="col" { "Key" } @for run in runs { th scope="col" { (run.title) } } } }
                    tbody {
                        @for key in &keys {
                            tr {
                                th scope="row" { code { (key) } }
                                @for run in runs {
                                    @let own = value(run, key);
                                    td .differs[own != value(&runs[0], key)] { (own.unwrap_or("not set")) }
                                }
                            }
                        }
                    }
                } }
                p.caption { "Keys that are not listed have the same value in all runs. Highlighted: differs from the first run." }
            }
        }
    }
}

/// The runs of one setting: equal configs but for the seed.
struct Setting<'a> {
    name: String,
    runs: Vec<&'a ReportData>,
}

fn settings(runs: &[ReportData]) -> Vec<Setting<'_>> {
    let keys: Vec<&str> = differing(runs).into_iter().filter(|key| *key != SEED).collect();
    let mut settings: Vec<(Vec<Option<&str>>, Setting<'_>)> = Vec::new();
    for run in runs {
        let own: Vec<Option<&str>> = keys.iter().map(|key| value(run, key)).collect();
        match settings.iter_mut().find(|(known, _)| *known == own) {
            Some((_, setting)) => setting.runs.push(run),
            None => {
                let parts: Vec<String> = (keys.iter().zip(&own))
                    .map(|(key, value)| format!("{key} = {}", value.unwrap_or("not set")))
                    .collect();
                let name = if parts.is_empty() {
                    "all runs".to_owned()
                } else {
                    parts.join(", ")
                };
                settings.push((own, Setting { name, runs: vec![run] }));
            }
        }
    }
    settings.into_iter().map(|(_, setting)| setting).collect()
}

/// Means over seeds, and how probable the differences are if the settings were equal.
pub(crate) fn significance(runs: &[ReportData]) -> Markup {
    let settings = settings(runs);
    if runs.iter().all(|run| run.config.is_empty()) {
        return html! {};
    }
    if settings.iter().all(|setting| setting.runs.len() < 2) {
        return html! {
            p { "Each setting has one run, so a difference may be that of seeds. Repeat the runs with other values of "
                code { "--seed" } " to compare means." }
        };
    }
    let measures = names(
        runs.iter()
            .flat_map(|run| run.accuracy.iter().map(|row| row.name.as_str())),
    );
    let sample = |setting: &Setting<'_>, measure: &str| {
        let rows = setting.runs.iter().flat_map(|run| &run.accuracy);
        let values: Vec<f64> = rows
            .filter(|row| row.name == measure)
            .filter_map(|row| row.trained)
            .collect();
        Sample::of(&values)
    };
    html! {
        div.wide { table.runs {
            thead { tr {
                th scope="col" { "Setting" } th scope="col" { "Measure" } th scope="col" { "Seeds" }
                th scope="col" { "Mean ± standard deviation" } th scope="col" { "Difference to the first" } th scope="col" { "p" }
            } }
            tbody {
                @for measure in &measures {
                    @for (at, setting) in settings.iter().enumerate() {
                        @if let Some(own) = sample(setting, measure) {
                            @let first = sample(&settings[0], measure).filter(|_| at > 0);
                            @let p = first.and_then(|first| welch(own, first));
                            tr {
                                th scope="row" { (setting.name) }
                                td { (measure) } td { (own.n) }
                                td { (mean(own)) }
                                td { @if let Some(first) = first { (format!("{:+.2}", 100.0 * (own.mean - first.mean))) } @else { "–" } }
                                td .differs[p.is_some_and(|p| p < 0.05)] { (p.map_or("–".to_owned(), probability)) }
                            }
                        }
                    }
                }
            }
        } }
        p.caption {
            "Settings: runs whose configs are equal but for " code { (SEED) } ". p: Welch's t-test, two-sided, against the first setting; "
            "highlighted below 0.05. It is not corrected for several comparisons, and few seeds show large differences only."
        }
    }
}

fn mean(sample: Sample) -> String {
    let deviation = if sample.n > 1 {
        format!(" ± {:.2}", 100.0 * sample.deviation)
    } else {
        String::new()
    };
    format!("{:.2}{deviation} %", 100.0 * sample.mean)
}

fn probability(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

/// Merges charts with the same title; their series are named and coloured by run.
pub(crate) fn merged_curves(runs: &[ReportData]) -> Vec<(Curve, Vec<Look>)> {
    let mut merged: Vec<(Curve, Vec<Look>)> = Vec::new();
    for (run_index, run) in runs.iter().enumerate() {
        for curve in &run.curves {
            let at = merged
                .iter()
                .position(|(known, _)| known.title == curve.title)
                .unwrap_or_else(|| {
                    merged.push((
                        Curve {
                            series: Vec::new(),
                            ..curve.clone()
                        },
                        Vec::new(),
                    ));
                    merged.len() - 1
                });
            let (target, looks) = &mut merged[at];
            for (index, series) in curve.series.iter().enumerate() {
                if let Some(shared) = target.series.iter().position(|known| same_bound(known, series)) {
                    let known = &mut target.series[shared];
                    known.name = series.name.clone();
                    looks[shared] = Look::NEUTRAL;
                    // The longer run's bound covers the shorter's.
                    if end(series) > end(known) {
                        known.points = series.points.clone();
                    }
                    continue;
                }
                target.series.push(Series {
                    name: format!("{}: {}", run.title, series.name),
                    ..series.clone()
                });
                looks.push(Look::of_run(run_index, index));
            }
        }
    }
    merged
}

/// Whether both are horizontal reference lines at the same height, such as the loss floors of runs with the same N and D.
fn same_bound(a: &Series, b: &Series) -> bool {
    let height = a.points.first().map(|point| point.1);
    let level = |series: &Series| series.reference && series.points.iter().all(|point| Some(point.1) == height);
    height.is_some() && !b.points.is_empty() && level(a) && level(b)
}

fn end(series: &Series) -> Option<f64> {
    series.points.last().map(|point| point.0)
}
