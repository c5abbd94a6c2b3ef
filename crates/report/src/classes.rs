//! Accuracy by class: the confusion matrix, the worst pairs, and bars.

use crate::data::{ClassResults, Portrait, Thumbnails};
use crate::drawing::Drawing;
use crate::html::{count, percent, shortened};
use crate::map::class_name;
use crate::thumbnail::{Mark, thumbnail};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Classes of a matrix or of bars; of more, the worst are drawn.
const MOST: usize = 40;
/// Classes of a matrix whose numbers are written into its cells.
const NUMBERED: usize = 16;

/// The drawings: the confusion matrix and the accuracy by class.
pub(crate) fn drawings(portrait: &Portrait) -> Vec<Drawing> {
    if portrait.results.per_class.iter().all(|[images, _]| *images == 0) {
        return Vec::new();
    }
    vec![confusion(portrait), bars(portrait)]
}

/// Classes from the least accurate one on; those without test images come last.
fn by_accuracy(results: &ClassResults) -> Vec<usize> {
    let accuracy = |class: usize| {
        let [images, correct] = results.per_class[class];
        if images == 0 {
            f64::INFINITY
        } else {
            correct as f64 / images as f64
        }
    };
    let mut order: Vec<usize> = (0..results.per_class.len()).collect();
    order.sort_by(|&a, &b| accuracy(a).total_cmp(&accuracy(b)));
    order
}

fn confusion(portrait: &Portrait) -> Drawing {
    let results = &portrait.results;
    let classes = results.per_class.len();
    let mut shown = by_accuracy(results);
    shown.truncate(MOST);
    shown.sort_unstable();
    let place: BTreeMap<usize, usize> = shown.iter().enumerate().map(|(at, &class)| (class, at)).collect();
    let (left, top, side) = (132.0, 8.0, 340.0);
    let cell = side / shown.len() as f64;
    let cells = results.confusion.iter().filter_map(|&[truth, predicted, images]| {
        let (row, column) = (*place.get(&truth)?, *place.get(&predicted)?);
        let part = images as f64 / results.per_class[truth][0].max(1) as f64;
        Some((row, column, images, part, truth, predicted))
    });
    let label = |class: usize| shortened(&class_name(portrait, class), 14);
    let middle = |at: usize| (at as f64 + 0.5) * cell;
    let tilted = |at: usize| {
        let x = left + middle(at) + 4.0;
        let y = top + side + 12.0;
        format!("translate({x:.1} {y:.1}) rotate(-45)")
    };
    let content = html! {
        rect.outline x=(left) y=(top) width=(side) height=(side) {}
        @for (row, column, images, part, truth, predicted) in cells {
            @let (x, y) = (left + column as f64 * cell, top + row as f64 * cell);
            rect class=(if row == column { "positive" } else { "negative" }) fill-opacity=(format!("{:.2}", part.clamp(0.04, 1.0)))
                x=(format!("{x:.1}")) y=(format!("{y:.1}")) width=(format!("{cell:.1}")) height=(format!("{cell:.1}")) {
                title { (class_name(portrait, truth)) " predicted as " (class_name(portrait, predicted)) ": " (images) }
            }
            @if shown.len() <= NUMBERED {
                text.dense .strong[part < 0.6] .inverse[part >= 0.6] x=(format!("{:.1}", x + cell / 2.0))
                    y=(format!("{:.1}", y + cell / 2.0 + 4.0)) text-anchor="middle" { (images) }
            }
        }
        @for (at, &class) in shown.iter().enumerate() {
            @if shown.len() <= 24 || at % 2 == 0 {
                text.dense x=(left - 5.0) y=(format!("{:.1}", top + middle(at) + 4.0)) text-anchor="end" { (label(class)) }
                text.dense transform=(tilted(at)) text-anchor="end" { (label(class)) }
            }
        }
        text x=(left + side / 2.0) y=(top + side + 98.0) text-anchor="middle" { "predicted class" }
        text x="12" y=(top + side / 2.0) text-anchor="middle" transform=(format!("rotate(-90 12 {})", top + side / 2.0)) {
            "true class"
        }
    };
    let few = if shown.len() < classes {
        format!(" The {} least accurate of {} classes.", shown.len(), count(classes))
    } else {
        String::new()
    };
    Drawing {
        id: "confusion".into(),
        kind: "matrix",
        title: "Confusion matrix".into(),
        description: format!(
            "Confusion matrix of {} over {} classes; {} of {} test images are on its diagonal.",
            results.classifier,
            count(classes),
            count(results.per_class.iter().map(|[_, correct]| correct).sum()),
            count(portrait.images)
        ),
        size: [left + side + 12.0, top + side + 106.0],
        content,
        legend: Vec::new(),
        note: format!(
            "By {}. Numbers of test images; strength: fraction of the true class. Blue: correct, orange: confused.{few}",
            results.classifier
        ),
    }
}

fn bars(portrait: &Portrait) -> Drawing {
    let results = &portrait.results;
    let classes = results.per_class.len();
    let mut shown = by_accuracy(results);
    shown.truncate(MOST);
    let (left, width, row) = (140.0, 240.0, 19.0);
    let line = |class: usize| {
        let [images, correct] = results.per_class[class];
        (images > 0).then(|| correct as f64 / images as f64)
    };
    let content = html! {
        @for (at, &class) in shown.iter().enumerate() {
            @let y = at as f64 * row + 4.0;
            text.dense x=(left - 6.0) y=(y + 11.0) text-anchor="end" {
                title { (class_name(portrait, class)) }
                (shortened(&class_name(portrait, class), 20))
            }
            rect.rest x=(left) y=(y) width=(width) height=(row - 5.0) {}
            @if let Some(part) = line(class) {
                rect.bar x=(left) y=(y) width=(format!("{:.1}", part * width)) height=(row - 5.0) {}
                text.dense x=(left + width + 6.0) y=(y + 11.0) { (format!("{:.1} % of {}", 100.0 * part, results.per_class[class][0])) }
            } @else {
                text.dense x=(left + width + 6.0) y=(y + 11.0) { "no test images" }
            }
        }
    };
    let title = if shown.len() < classes {
        format!("Accuracy by class: the {} lowest of {}", shown.len(), count(classes))
    } else {
        "Accuracy by class".to_owned()
    };
    let worst = shown.first().map_or(String::new(), |&class| {
        let accuracy = line(class).map_or("no test images".to_owned(), percent);
        format!(" The lowest: {}, {accuracy}.", class_name(portrait, class))
    });
    Drawing {
        id: "class-accuracy".into(),
        kind: "bars",
        description: format!("Bars of the accuracy of {} by class.{worst}", results.classifier),
        title,
        size: [left + width + 110.0, shown.len() as f64 * row + 8.0],
        content,
        legend: Vec::new(),
        note: format!(
            "By {}; percent of a class's test images that are predicted correctly.",
            results.classifier
        ),
    }
}

/// The accuracy of all classes as a table, where the bars show some of them.
pub(crate) fn all_classes(portrait: &Portrait) -> Markup {
    let per_class = &portrait.results.per_class;
    html! {
        @if per_class.len() > MOST {
            details {
                summary { "All " (count(per_class.len())) " classes" }
                div.wide { table {
                    thead { tr { th scope="col" { "Class" } th scope="col" { "Test images" } th scope="col" { "Accuracy" } } }
                    tbody {
                        @for (class, [images, correct]) in per_class.iter().enumerate() {
                            tr {
                                th scope="row" { bdi { (class_name(portrait, class)) } }
                                td { (images) }
                                td { @if *images > 0 { (percent(*correct as f64 / *images as f64)) } @else { "–" } }
                            }
                        }
                    }
                } }
            }
        }
    }
}

/// The pairs that are confused most, with some of their images.
pub(crate) fn worst_pairs(portrait: &Portrait, thumbnails: &Thumbnails) -> Markup {
    let results = &portrait.results;
    html! {
        @if !results.worst.is_empty() {
            h3 { "Confused most" }
            div.pairs {
                @for pair in &results.worst {
                    figure.neighbours {
                        figcaption {
                            bdi { (class_name(portrait, pair.truth)) } " → " bdi { (class_name(portrait, pair.predicted)) }
                            span.soft { " " (pair.images) " of " (results.per_class[pair.truth][0]) }
                        }
                        div.row {
                            @for image in &pair.examples {
                                (thumbnail(image, thumbnails, Mark::Wrong, &format!(
                                    "test image of {}, predicted as {}: {}",
                                    class_name(portrait, pair.truth), class_name(portrait, pair.predicted), image.name
                                )))
                            }
                        }
                    }
                }
            }
        }
    }
}
