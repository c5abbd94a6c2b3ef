//! The page: headings, tables, charts and pictures, the most important first.

use crate::chart::{self, Look};
use crate::html::{escape, png_uri};
use crate::{AccuracyRow, Curve, Picture, ReportData, Series};
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");

/// The report of one run as a complete HTML document.
pub fn render(run: &ReportData) -> String {
    let mut body = format!("<h1>{}</h1>\n", escape(&run.title));
    summary(&mut body, run);
    accuracy(&mut body, &run.accuracy, &run.before);
    notes(&mut body, &run.notes);
    let styled = |curve: &Curve| (curve.clone(), (0..curve.series.len()).map(Look::nth).collect());
    charts(&mut body, &run.curves.iter().map(styled).collect::<Vec<_>>());
    views(&mut body, &run.views);
    config(&mut body, run);
    document(&run.title, &body)
}

/// One document for several runs: their results side by side and their series in shared charts, then the views and the
/// configuration of each run. A single run gives the page of [`render`].
pub fn render_many(runs: &[ReportData]) -> String {
    if let [run] = runs {
        return render(run);
    }
    let title = format!("{} runs", runs.len());
    let mut body = format!("<h1>{title}</h1>\n");
    comparison(&mut body, runs);
    charts(&mut body, &merged_curves(runs));
    for run in runs {
        let _ = writeln!(body, "<h2 class=\"run\">{}</h2>", escape(&run.title));
        accuracy(&mut body, &run.accuracy, &run.before);
        notes(&mut body, &run.notes);
        views(&mut body, &run.views);
        config(&mut body, run);
    }
    document(&title, &body)
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(title)
    )
}

fn summary(out: &mut String, run: &ReportData) {
    if run.summary.is_empty() {
        return;
    }
    out.push_str("<dl class=\"summary\">\n");
    for (name, value) in &run.summary {
        let _ = writeln!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
    }
    out.push_str("</dl>\n");
}

/// The summaries of several runs as a table: a row per name, a column per run.
fn comparison(out: &mut String, runs: &[ReportData]) {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in runs.iter().flat_map(|run| &run.summary) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return;
    }
    out.push_str("<h2>Results</h2>\n<div class=\"wide\">\n<table>\n<thead><tr><th scope=\"col\">Run</th>");
    for run in runs {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(&run.title));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for name in names {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escape(name));
        for run in runs {
            let value = run
                .summary
                .iter()
                .find(|(own, _)| own == name)
                .map_or("–", |(_, value)| value);
            let _ = write!(out, "<td>{}</td>", escape(value));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
}

fn accuracy(out: &mut String, rows: &[AccuracyRow], before: &str) {
    if rows.is_empty() {
        return;
    }
    let before = escape(&capitalised(before));
    let _ = write!(
        out,
        "<h2>Accuracy of the features</h2>\n<div class=\"wide\">\n<table>\n<thead><tr><th scope=\"col\">Measure</th>\
         <th scope=\"col\">{before}</th><th scope=\"col\">Trained</th><th scope=\"col\">Gain</th></tr></thead>\n<tbody>\n",
    );
    let percent = |part: Option<f64>| {
        part.filter(|p| p.is_finite())
            .map_or("–".into(), |p| format!("{:.2} %", 100.0 * p))
    };
    for AccuracyRow {
        name,
        untrained,
        trained,
    } in rows
    {
        let gain = trained
            .zip(*untrained)
            .map(|(trained, untrained)| 100.0 * (trained - untrained));
        let gain = gain
            .filter(|gain| gain.is_finite())
            .map_or("–".into(), |gain| format!("{gain:+.2}"));
        let (name, untrained, trained) = (escape(name), percent(*untrained), percent(*trained));
        let cells = format!("<td>{untrained}</td><td><b>{trained}</b></td><td>{gain}</td>");
        let _ = writeln!(out, "<tr><th scope=\"row\">{name}</th>{cells}</tr>");
    }
    out.push_str("</tbody>\n</table>\n</div>\n");
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn notes(out: &mut String, notes: &[String]) {
    for note in notes {
        let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(note));
    }
}

fn charts(out: &mut String, curves: &[(Curve, Vec<Look>)]) {
    if curves.is_empty() {
        return;
    }
    out.push_str("<h2>Training</h2>\n<div class=\"charts\">\n");
    curves
        .iter()
        .for_each(|(curve, looks)| out.push_str(&chart::figure(curve, looks)));
    out.push_str("</div>\n");
}

/// Merges charts with the same title; their series are named and coloured by run.
fn merged_curves(runs: &[ReportData]) -> Vec<(Curve, Vec<Look>)> {
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

fn views(out: &mut String, groups: &[Vec<Picture>]) {
    if groups.iter().all(Vec::is_empty) {
        return;
    }
    out.push_str("<h2>What the network saw</h2>\n<div class=\"views\">\n");
    for (index, group) in groups.iter().enumerate() {
        let Some((image, views)) = group.split_first() else {
            continue;
        };
        let name = format!("{} {}", image.caption, index + 1);
        out.push_str("<div class=\"pictures\">");
        picture(out, image, &capitalised(&name));
        for view in views {
            picture(out, view, &format!("{} of {name}", capitalised(&view.caption)));
        }
        out.push_str("</div>\n");
    }
    out.push_str("</div>\n");
}

fn picture(out: &mut String, picture: &Picture, alt: &str) {
    let (uri, alt, caption) = (png_uri(&picture.png), escape(alt), escape(&picture.caption));
    let _ = write!(
        out,
        "<figure><img src=\"{uri}\" alt=\"{alt}\"><figcaption>{caption}</figcaption></figure>"
    );
}

fn config(out: &mut String, run: &ReportData) {
    if !run.config_toml.is_empty() {
        let text = escape(run.config_toml.trim_end());
        let _ = writeln!(
            out,
            "<h2>Configuration</h2>\n<pre tabindex=\"0\"><code>{text}</code></pre>"
        );
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
