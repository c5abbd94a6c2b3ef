//! Line charts. The view box has the width of a small screen, so that text remains readable there.

use crate::axis::{Axis, short};
use crate::data::{Curve, Series};
use crate::drawing::Drawing;
use crate::palette::LINE_COLOURS as COLOURS;
use maud::{Markup, PreEscaped, html};
use std::fmt::Write;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;

/// Number of dash patterns in the style sheet; the first is a solid line.
const DASHES: usize = 3;

/// Number of buckets of a long series: more cannot be distinguished at this width.
const BUCKETS: usize = 400;

/// Colour and dash pattern of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    /// Index of the colour, modulo their number.
    pub colour: usize,
    /// Index of the dash pattern, modulo their number.
    pub dash: usize,
}

impl Look {
    /// The look of lines shared by all runs; the last colour is a grey.
    pub const NEUTRAL: Self = Self {
        colour: COLOURS - 1,
        dash: 0,
    };

    /// The look of series `index` of one run: the colours vary first, then the dashes.
    pub fn nth(index: usize) -> Self {
        Self {
            colour: index,
            dash: index / COLOURS,
        }
    }

    /// The look of series of several runs: a colour per run and a dash pattern per series, so that a run stands out.
    pub fn of_run(run: usize, index: usize) -> Self {
        Self {
            colour: run,
            dash: index + run / COLOURS,
        }
    }

    /// The CSS classes.
    fn class(self, kind: &str, series: &Series) -> String {
        let reference = if series.reference { " reference" } else { "" };
        format!("{kind} c{} d{}{reference}", self.colour % COLOURS, self.dash % DASHES)
    }
}

/// The chart as a drawing; one look per series.
pub(crate) fn drawing(curve: &Curve, looks: &[Look]) -> Drawing {
    let points = || curve.series.iter().flat_map(|series| &series.points);
    // Only points that are drawn determine the axes.
    let shown = || points().filter(|(x, y)| x.is_finite() && y.is_finite() && (!curve.log_y || *y > 0.0));
    let axes = Axis::new(shown().map(|point| point.0), false).zip(Axis::new(shown().map(|point| point.1), curve.log_y));
    Drawing {
        id: format!("chart-{}", file_name(&curve.title)),
        kind: "chart",
        title: curve.title.clone(),
        description: description(curve),
        size: [WIDTH, HEIGHT],
        content: axes.map_or(PreEscaped(String::new()), |(x, y)| {
            content(curve, looks, x, y.with_margin())
        }),
        legend: if axes.is_some() {
            legend(curve, looks)
        } else {
            Vec::new()
        },
        note: String::new(),
    }
}

/// Letters and digits of a heading, in lower case, with hyphens between its words.
pub(crate) fn file_name(title: &str) -> String {
    let words = title.split(|character: char| !character.is_ascii_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("-")
}

fn content(curve: &Curve, looks: &[Look], x: Axis, y: Axis) -> Markup {
    let mut order: Vec<(&Series, &Look)> = curve.series.iter().zip(looks).collect();
    // Reference lines are drawn first, below the measured ones.
    order.sort_by_key(|(series, _)| !series.reference);
    html! {
        (grid(curve, x, y))
        @for (series, look) in order { (line(series, *look, x, y)) }
    }
}

fn grid(curve: &Curve, x: Axis, y: Axis) -> Markup {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let (middle_x, middle_y) = ((LEFT + right) / 2.0, (TOP + bottom) / 2.0);
    let vertical = y
        .ticks()
        .into_iter()
        .filter_map(|(value, text)| Some((place_y(y.position(value)?), text)));
    let horizontal = x
        .ticks()
        .into_iter()
        .filter_map(|(value, text)| Some((place_x(x.position(value)?), text)));
    html! {
        @for (at, text) in vertical {
            path.grid d=(format!("M{LEFT} {at:.1}H{right}")) {}
            text x=(LEFT - 6.0) y=(format!("{:.1}", at + 4.0)) text-anchor="end" { (text) }
        }
        @for (at, text) in horizontal {
            path.tick d=(format!("M{at:.1} {bottom}v4")) {}
            text x=(format!("{at:.1}")) y=(bottom + 17.0) text-anchor="middle" { (text) }
        }
        path.axis d=(format!("M{LEFT} {bottom}H{right}")) {}
        text x=(middle_x) y=(HEIGHT - 7.0) text-anchor="middle" { (curve.x_label) }
        text x="12" y=(middle_y) text-anchor="middle" transform=(format!("rotate(-90 12 {middle_y})")) {
            (curve.y_label) @if curve.log_y { " (log)" }
        }
    }
}

fn line(series: &Series, look: Look, x: Axis, y: Axis) -> Markup {
    let (mut path, mut dots, mut piece) = (String::new(), Vec::new(), Vec::new());
    let mut finish = |piece: &mut Vec<(f64, f64)>| {
        if let [dot] = piece[..] {
            dots.push(dot);
        }
        for (k, (x, y)) in thinned(piece).into_iter().enumerate() {
            let _ = write!(path, "{}{x:.1} {y:.1}", if k == 0 { 'M' } else { 'L' });
        }
        piece.clear();
    };
    for &(at_x, at_y) in &series.points {
        match x.position(at_x).zip(y.position(at_y)) {
            Some((at_x, at_y)) => piece.push((place_x(at_x), place_y(at_y))),
            None => finish(&mut piece),
        }
    }
    finish(&mut piece);
    html! {
        @if !path.is_empty() {
            path class=(look.class("line", series)) d=(path) { title { (series.name) } }
        }
        @for (x, y) in dots {
            circle class=(look.class("dot", series)) cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="3" {}
        }
    }
}

fn legend(curve: &Curve, looks: &[Look]) -> Vec<(Markup, Markup)> {
    let row = |(series, look): (&Series, &Look)| {
        let last = series.points.iter().rev().find(|(_, y)| y.is_finite());
        let mark = html! { path class=(look.class("line", series)) d="M1 5H27" {} };
        let text = html! { (series.name) @if let Some((_, y)) = last { " " b { (short(*y)) } } };
        (mark, text)
    };
    curve.series.iter().zip(looks).map(row).collect()
}

/// A text description of the chart, for screen readers.
fn description(curve: &Curve) -> String {
    let mut out = format!("Line chart of {} over {}.", curve.y_label, curve.x_label);
    for series in &curve.series {
        let shown = || series.points.iter().filter(|(_, y)| y.is_finite()).map(|point| point.1);
        if let (Some(first), Some(last)) = (shown().next(), shown().next_back()) {
            let least = shown().fold(f64::INFINITY, f64::min);
            let most = shown().fold(f64::NEG_INFINITY, f64::max);
            let [first, last, least, most] = [first, last, least, most].map(short);
            let _ = write!(
                out,
                " {}: from {first} to {last}, between {least} and {most}.",
                series.name
            );
        }
    }
    out
}

/// A line reduced to what is visible at this width: the lowest and the highest point of every bucket, in order.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= 2 * BUCKETS {
        return points.to_vec();
    }
    let (first, last) = (points[0], points[points.len() - 1]);
    let mut out = vec![first];
    for bucket in points.chunks(points.len().div_ceil(BUCKETS)) {
        let by_height = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let (low, high) = (bucket.iter().min_by(by_height), bucket.iter().max_by(by_height));
        let mut pair: Vec<_> = low.into_iter().chain(high).copied().collect();
        pair.sort_by(|a, b| a.0.total_cmp(&b.0));
        out.extend(pair);
    }
    out.push(last);
    out.dedup();
    out
}

fn place_x(position: f64) -> f64 {
    LEFT + position * (WIDTH - LEFT - RIGHT)
}

fn place_y(position: f64) -> f64 {
    TOP + (1.0 - position) * (HEIGHT - TOP - BOTTOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(curve: &Curve) -> String {
        drawing(curve, &[Look::nth(0)])
            .figure()
            .into_string()
            .replace("><", ">\n<")
    }

    fn curve(points: Vec<(f64, f64)>, log_y: bool) -> Curve {
        let series = vec![Series::line("a & b", points)];
        Curve {
            title: "Loss".into(),
            series,
            y_label: "loss".into(),
            x_label: "step".into(),
            log_y,
        }
    }

    #[test]
    fn gaps_interrupt_the_line_and_lone_points_become_dots() {
        let points = vec![
            (0.0, 1.0),
            (1.0, 2.0),
            (2.0, f64::NAN),
            (3.0, 1.5),
            (4.0, f64::INFINITY),
            (5.0, 1.0),
            (6.0, 2.0),
        ];
        let html = drawn(&curve(points, false));
        assert_eq!(html.matches("<circle").count(), 1);
        let path = html
            .lines()
            .find(|line| line.starts_with("<path class=\"line c0"))
            .unwrap();
        assert_eq!(path.matches('M').count(), 3, "{path}");
        assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
        assert!(html.contains("a &amp; b"));
    }

    #[test]
    fn a_chart_without_data_says_so() {
        for points in [vec![], vec![(0.0, f64::NAN)], vec![(f64::NAN, 1.0)]] {
            assert!(drawn(&curve(points, false)).contains("Nothing to draw yet."));
        }
        assert!(drawn(&curve(vec![(0.0, 0.0), (1.0, -2.0)], true)).contains("Nothing to draw yet."));
        assert!(drawn(&Curve::default()).contains("Nothing to draw yet."));
    }

    #[test]
    fn every_coordinate_lies_in_the_picture() {
        let points = (0..300)
            .map(|k| (f64::from(k), 1000.0 * (-0.03 * f64::from(k)).exp() + 1e-3))
            .collect();
        let html = drawn(&curve(points, true));
        let path = html
            .lines()
            .find(|line| line.starts_with("<path class=\"line c0"))
            .unwrap();
        let path = path.split_once(" d=\"").unwrap().1.split_once('"').unwrap().0;
        let pairs = path.split(['M', 'L']).skip(1).map(|pair| pair.split_once(' ').unwrap());
        let mut count = 0;
        for (x, y) in pairs {
            count += 1;
            assert!((LEFT..=WIDTH - RIGHT).contains(&x.parse().unwrap()), "{x}");
            assert!((TOP..=HEIGHT - BOTTOM).contains(&y.parse().unwrap()), "{y}");
        }
        assert_eq!(count, 300);
    }

    #[test]
    fn long_series_keep_their_extremes_and_ends() {
        let mut points: Vec<(f64, f64)> = (0..100_000)
            .map(|k| (f64::from(k), (f64::from(k) * 0.01).sin()))
            .collect();
        points[54_321].1 = 9.0;
        let few = thinned(&points);
        assert!(few.len() <= 2 * BUCKETS + 2);
        assert!(few.contains(&(54_321.0, 9.0)));
        assert_eq!((few.first(), few.last()), (points.first(), points.last()));
        assert!(few.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
