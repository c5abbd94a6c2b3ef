//! Heat maps of cross-correlation matrices.

use crate::data::Correlation;
use crate::drawing::Drawing;
use crate::html::count;
use maud::{Markup, html};
use std::fmt::Write;

const LEFT: f64 = 34.0;
const TOP: f64 = 8.0;
const SIDE: f64 = 320.0;
const SCALE: f64 = 14.0;

/// Steps of the scale from 0 to 1: finer ones cannot be distinguished.
const LEVELS: i32 = 20;

/// The matrix as a drawing. A cell's strength is the absolute value; blue is positive, orange negative.
pub(crate) fn correlation(matrix: &Correlation) -> Drawing {
    let Correlation {
        name,
        side,
        width,
        images,
        views: [a, b],
        ..
    } = matrix;
    let shown = if side == width {
        format!("all {} dimensions of the embeddings", count(*width))
    } else {
        format!(
            "{side} of the {} dimensions of the embeddings, evenly spaced",
            count(*width)
        )
    };
    let (diagonal, rest) = strengths(matrix);
    let values = format!("mean of the diagonal {diagonal:.3}, root mean square off the diagonal {rest:.3}");
    Drawing {
        id: format!("correlation-{}", crate::chart::file_name(name)),
        kind: "heat",
        title: format!("C of the {name} network"),
        description: format!("Heat map of the cross-correlation matrix C of the {name} network, {shown}: {values}."),
        size: [SIDE + LEFT + 62.0, SIDE + TOP + 30.0],
        content: html! { (cells(matrix)) (frame(a, b)) (scale()) },
        legend: Vec::new(),
        note: format!(
            "{}: {shown}; over {} images, {a} against {b}, batch norm in evaluation mode.",
            crate::html::capitalised(&values),
            count(*images)
        ),
    }
}

/// Mean of the diagonal, and root mean square of what is off it.
fn strengths(matrix: &Correlation) -> (f64, f64) {
    let side = matrix.side.max(1);
    let (mut diagonal, mut squares) = (0.0, 0.0);
    for (at, &value) in matrix.values.iter().enumerate() {
        if at / side == at % side {
            diagonal += f64::from(value);
        } else {
            squares += f64::from(value).powi(2);
        }
    }
    (
        diagonal / side as f64,
        (squares / (side * side - side).max(1) as f64).sqrt(),
    )
}

/// A path per level: the cells of one strength together.
fn cells(matrix: &Correlation) -> Markup {
    let cell = SIDE / matrix.side.max(1) as f64;
    let mut paths = vec![String::new(); 2 * LEVELS as usize + 1];
    for (at, &value) in matrix.values.iter().enumerate() {
        let level = level(value);
        let path = &mut paths[(level + LEVELS) as usize];
        let _ = write!(path, "M{} {}h1v1h-1z", at % matrix.side, at / matrix.side);
    }
    html! {
        g transform=(format!("translate({LEFT} {TOP}) scale({cell:.4})")) {
            @for (level, path) in (-LEVELS..=LEVELS).zip(&paths) {
                @if level != 0 && !path.is_empty() {
                    path class=(sign(level)) fill-opacity=(opacity(level)) d=(path) {}
                }
            }
        }
    }
}

/// NaN is 0: a dimension without variance.
fn level(value: f32) -> i32 {
    (value.clamp(-1.0, 1.0) * LEVELS as f32).round() as i32
}

fn sign(level: i32) -> &'static str {
    if level > 0 { "positive" } else { "negative" }
}

fn opacity(level: i32) -> String {
    format!("{:.2}", f64::from(level.abs()) / f64::from(LEVELS))
}

fn frame(a: &str, b: &str) -> Markup {
    let (middle_x, middle_y, bottom) = (LEFT + SIDE / 2.0, TOP + SIDE / 2.0, TOP + SIDE);
    html! {
        rect.outline x=(LEFT) y=(TOP) width=(SIDE) height=(SIDE) {}
        text x=(middle_x) y=(bottom + 19.0) text-anchor="middle" { "dimension, " (b) }
        text x="16" y=(middle_y) text-anchor="middle" transform=(format!("rotate(-90 16 {middle_y})")) {
            "dimension, " (a)
        }
    }
}

/// The scale from 1 at the top to -1 at the bottom.
fn scale() -> Markup {
    let left = LEFT + SIDE + 12.0;
    let step = SIDE / f64::from(2 * LEVELS + 1);
    html! {
        @for (row, level) in (-LEVELS..=LEVELS).rev().enumerate() {
            rect class=(sign(level)) fill-opacity=(opacity(level)) x=(left) y=(format!("{:.2}", TOP + row as f64 * step))
                width=(SCALE) height=(format!("{:.2}", step + 0.1)) {}
        }
        rect.outline x=(left) y=(TOP) width=(SCALE) height=(SIDE) {}
        @for (value, place) in [("1", 0.0), ("0", 0.5), ("−1", 1.0)] {
            text x=(left + SCALE + 5.0) y=(format!("{:.1}", TOP + place * SIDE + 9.0 - 9.0 * place)) { (value) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagonal_and_the_rest_are_measured_apart() {
        let matrix = Correlation {
            name: "trained".into(),
            values: vec![1.0, -0.5, 0.5, 0.5],
            side: 2,
            width: 1024,
            images: 256,
            views: ["view a".into(), "view b".into()],
            spectrum: Vec::new(),
        };
        assert_eq!(strengths(&matrix), (0.75, 0.5));
        let drawing = correlation(&matrix);
        assert!(drawing.note.contains("2 of the 1,024 dimensions"), "{}", drawing.note);
        let svg = drawing.content.0;
        assert_eq!(
            svg.matches("class=\"negative\" fill-opacity=\"0.50\" d=").count(),
            1,
            "{svg}"
        );
        assert_eq!(svg.matches("class=\"positive\" fill-opacity=\"1.00\" d=").count(), 1);
    }

    #[test]
    fn a_dead_dimension_is_drawn_as_zero() {
        assert_eq!([level(f32::NAN), level(2.0), level(-0.04)], [0, LEVELS, -1]);
    }
}
