//! The map of the representations: a point per test image, by principal components and by t-SNE.

use crate::data::{MapPoint, Portrait};
use crate::drawing::Drawing;
use crate::html::{count, shortened};
use crate::palette::POINT_COLOURS;
use maud::{Markup, html};

const SIDE: f64 = 440.0;
const MARGIN: f64 = 10.0;

/// Shapes of points.
const SHAPES: usize = 4;

/// Classes that have a colour and shape of their own; more cannot be distinguished.
const DISTINCT: usize = POINT_COLOURS * SHAPES;

/// Characters of a name in a point's title.
const MOST: usize = 80;

/// Both maps; none without points.
pub(crate) fn maps(portrait: &Portrait) -> Vec<Drawing> {
    if portrait.map.is_empty() {
        return Vec::new();
    }
    let by_tsne: fn(&MapPoint) -> [f32; 2] = |point| point.tsne;
    let by_pca: fn(&MapPoint) -> [f32; 2] = |point| point.pca;
    let legend = legend(portrait);
    let of = |id: &str, title: &str, note: &str, place: fn(&MapPoint) -> [f32; 2]| Drawing {
        id: id.to_owned(),
        kind: "map",
        title: title.to_owned(),
        description: format!(
            "{title}: {} test images of {} classes as points, coloured by class.",
            count(portrait.map.len()),
            count(portrait.classes.len())
        ),
        size: [SIDE, SIDE],
        content: html! {
            rect.outline x="0.5" y="0.5" width=(SIDE - 1.0) height=(SIDE - 1.0) {}
            @for point in &portrait.map { (drawn(point, place(point), portrait)) }
        },
        legend: legend.clone(),
        note: note.to_owned(),
    };
    vec![
        of(
            "map-tsne",
            "t-SNE",
            "Neighbours stay neighbours; distances between groups and sizes of groups mean nothing.",
            by_tsne,
        ),
        of(
            "map-pca",
            "Principal components",
            "Horizontal: the direction of the largest variance; vertical: of the second largest; each scaled to the figure.",
            by_pca,
        ),
    ]
}

fn drawn(point: &MapPoint, [x, y]: [f32; 2], portrait: &Portrait) -> Markup {
    let place = |value: f32| MARGIN + f64::from(value.clamp(0.0, 1.0)) * (SIDE - 2.0 * MARGIN);
    let (class, predicted) = (point.image.class, point.predicted);
    html! {
        path class=(format!("point m{} k{class}", class % POINT_COLOURS)) d=(shape(class, place(x), SIDE - place(y)))
            data-t=(point.image.thumbnail) {
            title {
                (class_name(portrait, class))
                @if predicted == class { " ✓" } @else { ", predicted as " (class_name(portrait, predicted)) " ✗" }
                " · " (shortened(&point.image.name, MOST))
            }
        }
    }
}

/// The name of a class, shortened.
pub(crate) fn class_name(portrait: &Portrait, class: usize) -> String {
    let name = portrait.classes.get(class).map_or("?", String::as_str);
    shortened(name, MOST)
}

/// A circle, square, triangle or diamond. Shapes change with every class, and once more when the colours begin again, so that 32
/// classes differ.
fn shape(class: usize, x: f64, y: f64) -> String {
    match (class + class / POINT_COLOURS) % SHAPES {
        0 => format!("M{:.1} {y:.1}a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0-7.2 0z", x - 3.6),
        1 => format!("M{:.1} {:.1}h6.4v6.4h-6.4z", x - 3.2, y - 3.2),
        2 => format!("M{x:.1} {:.1}l4.3 7.5h-8.6z", y - 4.8),
        _ => format!("M{x:.1} {:.1}l4.6 4.6l-4.6 4.6l-4.6-4.6z", y - 4.6),
    }
}

/// Colours and shapes of the classes; none if there are too many to be distinguished.
fn legend(portrait: &Portrait) -> Vec<(Markup, Markup)> {
    let classes = portrait.classes.len();
    if classes > DISTINCT {
        return Vec::new();
    }
    let row = |class: usize| {
        let mark = html! { path class=(format!("point m{}", class % POINT_COLOURS)) d=(shape(class, 14.0, 5.0)) {} };
        (mark, html! { bdi { (class_name(portrait, class)) } })
    };
    (0..classes).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn thirty_two_classes_differ_in_colour_or_shape() {
        let looks: BTreeSet<(usize, String)> = (0..DISTINCT)
            .map(|class| (class % POINT_COLOURS, shape(class, 0.0, 0.0)))
            .collect();
        assert_eq!(looks.len(), DISTINCT);
    }
}
