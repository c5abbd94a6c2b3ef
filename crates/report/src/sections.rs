//! Sections that are tables: accuracies, time, config, later evaluations; and the views.

use crate::data::{AccuracyRow, Evaluation, Picture, ReportData};
use crate::encode::png_uri;
use crate::html::{capitalised, percent, value_table};
use maud::{Markup, html};

/// The headline numbers.
pub(crate) fn headline(run: &ReportData) -> Markup {
    let finite = |part: Option<f64>| part.filter(|part| part.is_finite());
    let gain = |row: &AccuracyRow| {
        let pair = finite(row.trained).zip(finite(row.untrained));
        pair.map(|(trained, untrained)| format!("{:+.2}", 100.0 * (trained - untrained)))
    };
    html! {
        @if !run.accuracy.is_empty() {
            dl.headline {
                @for row in &run.accuracy {
                    div {
                        dt { (row.name) }
                        dd {
                            b { (finite(row.trained).map_or("–".to_owned(), percent)) }
                            @if let Some(untrained) = finite(row.untrained) {
                                span { (run.before) " " (percent(untrained)) @if let Some(gain) = gain(row) { " · " (gain) } }
                            }
                            @if let Some(part) = finite(row.trained) {
                                span.track aria-hidden="true" {
                                    span.fill style=(format!("width:{:.2}%", 100.0 * part.clamp(0.0, 1.0))) {}
                                    @if let Some(untrained) = finite(row.untrained) {
                                        span.before style=(format!("left:{:.2}%", 100.0 * untrained.clamp(0.0, 1.0))) {}
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Where the time went, as bars.
pub(crate) fn time(run: &ReportData) -> Markup {
    let total: f64 = run.time.iter().map(|(_, seconds)| seconds).sum();
    html! {
        @if total > 0.0 {
            div.wide { table.time {
                tbody {
                    @for (phase, seconds) in &run.time {
                        tr {
                            th scope="row" { (phase) }
                            td { (duration(*seconds)) }
                            td { (percent(seconds / total)) }
                            td.track-cell { span.track aria-hidden="true" {
                                span.fill style=(format!("width:{:.2}%", 100.0 * seconds / total)) {}
                            } }
                        }
                    }
                }
            } }
        }
    }
}

/// Seconds as a person would say them.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 10.0 => format!("{seconds:.2} s"),
        0..120 => format!("{seconds:.0} s"),
        120..7200 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// What differs from the recipe, and the whole config.
pub(crate) fn config(run: &ReportData) -> Markup {
    let cell = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
    html! {
        @if let Some(recipe) = &run.recipe {
            @if run.changes.is_empty() {
                p { "As in the recipe " code { (recipe) } "." }
            } @else {
                p { "What differs from the recipe " code { (recipe) } ":" }
                div.wide { table.runs {
                    thead { tr { th scope="col" { "Key" } th scope="col" { "Recipe" } th scope="col" { "This run" } } }
                    tbody {
                        @for change in &run.changes {
                            tr {
                                th scope="row" { code { (change.key) } }
                                td { (cell(&change.recipe)) }
                                td.differs { (cell(&change.run)) }
                            }
                        }
                    }
                } }
            }
        }
        @if !run.config_toml.is_empty() {
            details {
                summary { "The whole config" }
                pre tabindex="0" { code { (run.config_toml.trim_end()) } }
            }
        }
    }
}

/// A later evaluation.
pub(crate) fn evaluation(evaluation: &Evaluation) -> Markup {
    html! {
        h3 { (evaluation.name) }
        (value_table(&evaluation.values))
        @for table in &evaluation.tables {
            details open[table.rows.len() <= 12] {
                summary { (table.name) " (" (table.rows.len()) ")" }
                div.wide { table {
                    thead { tr { @for column in &table.columns { th scope="col" { (column) } } } }
                    tbody {
                        @for row in &table.rows {
                            tr { @for (at, cell) in row.iter().enumerate() {
                                @if at == 0 { th scope="row" { bdi { (cell) } } } @else { td { (cell) } }
                            } }
                        }
                    }
                } }
            }
        }
    }
}

/// Images and their views.
pub(crate) fn views(groups: &[Vec<Picture>]) -> Markup {
    let picture = |picture: &Picture, alt: String| {
        html! {
            figure {
                img src=(png_uri(&picture.png)) alt=(alt);
                figcaption { (picture.caption) }
            }
        }
    };
    html! {
        @if groups.iter().any(|group| !group.is_empty()) {
            div.views data-figure="views" {
                @for (at, group) in groups.iter().enumerate() {
                    @if let Some((image, views)) = group.split_first() {
                        @let name = format!("{} {}", image.caption, at + 1);
                        div.pictures {
                            (picture(image, capitalised(&name)))
                            @for view in views { (picture(view, format!("{} of {name}", capitalised(&view.caption)))) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_unit_of_their_size() {
        let texts = [0.5, 42.4, 150.0, 7300.0].map(duration);
        assert_eq!(texts, ["0.50 s", "42 s", "2 min 30 s", "2 h 1 min"]);
    }
}
