//! Studies: a figure with error bars in the form of the paper's, as a complete SVG document, and the page of a study.

use crate::axis::{Axis, short};
use crate::html::escape;
use std::fmt::Write;

/// Little more than that of a small screen, so that text remains readable there.
const WIDTH: f64 = 520.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 16.0;
/// Height of a chart over numbers.
const HEIGHT: f64 = 320.0;
const BOTTOM: f64 = 76.0;
/// Height of a row of named cells.
const ROW: f64 = 30.0;
/// Width of a letter, at most, for the room that names take.
const LETTER: f64 = 7.2;
/// Text of at most so many bytes is not wrapped in the table of a page.
const SHORT: usize = 18;
/// Width of a digit, at most.
const DIGIT: f64 = 8.4;
/// The longest name that is not cut.
const LONGEST: usize = 30;

/// The page's colours; a figure is a document of its own, so it holds them, too.
const STYLE: &str = "svg.study{font:13px system-ui,\"Segoe UI\",Roboto,sans-serif;--ink:#1c2127;--soft:#5a6472;--line:#d7dce2;\
--c0:#0072b2;--c1:#d55e00;--c2:#00805c}@media (prefers-color-scheme:dark){svg.study{--ink:#e6e9ed;--soft:#a3adba;--line:#363d47;\
--c0:#56b4e9;--c1:#ff8a3d;--c2:#2fc79a}}svg.study text{fill:var(--ink)}svg.study .soft{fill:var(--soft)}\
svg.study .grid{stroke:var(--line);fill:none}svg.study .axis{stroke:var(--soft);fill:none}\
svg.study .ref{stroke:var(--soft);stroke-dasharray:5 4;fill:none}svg.study .s{fill:none;stroke-width:1.8}\
svg.study .s0{stroke:var(--c0)}svg.study .s1{stroke:var(--c1)}svg.study .s2{stroke:var(--c2)}svg.study .thin{stroke-width:1.2}\
svg.study .f0{fill:var(--c0)}svg.study .f1{fill:var(--c1)}svg.study .f2{fill:var(--c2)}";

/// Number of colours and shapes.
const LOOKS: usize = 3;

/// A chart of measurements with error bars.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StudyFigure {
    /// What it shows; the alternative text.
    pub title: String,
    /// What the points' numbers are; `None` draws a row for each name.
    pub x_label: Option<String>,
    /// Logarithmic horizontal axis.
    pub log_x: bool,
    /// What is measured, with its unit.
    pub y_label: String,
    /// The measurements.
    pub series: Vec<MeasuredSeries>,
    /// A dashed line at a value, with its name.
    pub reference: Option<(String, f64)>,
}

/// Measurements that belong together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeasuredSeries {
    /// Name in the legend.
    pub name: String,
    /// The points.
    pub points: Vec<MeasuredPoint>,
}

/// A measurement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeasuredPoint {
    /// Its name, or its number as text.
    pub label: String,
    /// Its number, or that of its row.
    pub x: f64,
    /// The mean.
    pub mean: f64,
    /// Half the height of the error bar.
    pub deviation: Option<f64>,
}

/// The page of a study.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StudyPage {
    /// Heading.
    pub title: String,
    /// Recipe, data and the like, with their values.
    pub facts: Vec<(String, String)>,
    /// Headings of the table.
    pub header: Vec<String>,
    /// Its rows; the first value of each is its name.
    pub rows: Vec<Vec<String>>,
    /// Captions and SVG documents of [`StudyFigure::svg`].
    pub figures: Vec<(String, String)>,
    /// Remarks, a paragraph each.
    pub notes: Vec<String>,
}

impl StudyFigure {
    /// The figure as a complete SVG document, for a file or within a page.
    pub fn svg(&self) -> String {
        let values = self.series.iter().flat_map(|series| &series.points).flat_map(|point| {
            let bar = point.deviation.unwrap_or(0.0);
            [point.mean - bar, point.mean + bar]
        });
        let reference = self.reference.iter().map(|(_, value)| *value);
        let measured = Axis::new(values.chain(reference), false).map(Axis::with_margin);
        let numbers = self
            .series
            .iter()
            .flat_map(|series| &series.points)
            .map(|point| point.x);
        match (measured, &self.x_label, Axis::new(numbers, self.log_x)) {
            (Some(y), Some(x_label), Some(x)) => self.over_numbers(x_label, x, y),
            (Some(value), None, _) => self.rows(value),
            _ => self.document(60.0, "<text x=\"20\" y=\"35\">Nothing to draw yet.</text>"),
        }
    }

    fn document(&self, height: f64, body: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"study\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-label=\"{0}\"><style>{STYLE}</style><title>{1}</title>\n{body}</svg>\n",
            escape(&self.description()),
            escape(&self.title),
        )
    }

    /// A text description, for screen readers.
    fn description(&self) -> String {
        let mut out = format!("{}. {}.", self.title, self.y_label);
        for series in &self.series {
            let point = |point: &MeasuredPoint| {
                let bar = point
                    .deviation
                    .map_or(String::new(), |bar| format!(" ± {}", short(bar)));
                format!("{}: {}{bar}", point.label, short(point.mean))
            };
            let points: Vec<String> = series.points.iter().map(point).collect();
            let _ = write!(out, " {}: {}.", series.name, points.join(", "));
        }
        out
    }

    /// Lines over a numeric axis whose ticks are the measured numbers.
    fn over_numbers(&self, x_label: &str, x: Axis, y: Axis) -> String {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let inner = (LEFT + 16.0, right - 16.0);
        let place_x = |value: f64| x.position(value).map(|at| inner.0 + at * (inner.1 - inner.0));
        let place_y = |value: f64| y.position(value).map(|at| TOP + (1.0 - at) * (bottom - TOP));
        let mut out = String::new();
        for (value, text) in y.ticks() {
            let Some(at) = place_y(value) else { continue };
            let _ = writeln!(out, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>");
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 7.0,
                at + 4.5,
                escape(&text)
            );
        }
        let mut ticks: Vec<(f64, &str)> = Vec::new();
        for point in self.series.iter().flat_map(|series| &series.points) {
            if let Some(at) = place_x(point.x)
                && !ticks.iter().any(|(other, _)| (other - at).abs() < 0.05)
            {
                ticks.push((at, &point.label));
            }
        }
        ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free_from = f64::NEG_INFINITY;
        for (at, label) in ticks {
            let _ = writeln!(out, "<path class=\"axis\" d=\"M{at:.1} {bottom}v5\"/>");
            let half = label.chars().count() as f64 * DIGIT / 2.0;
            // A number that would overlap the one before is dropped; its tick stays.
            if at - half >= free_from {
                let label = escape(label);
                let y = bottom + 19.0;
                let _ = writeln!(
                    out,
                    "<text x=\"{at:.1}\" y=\"{y}\" text-anchor=\"middle\">{label}</text>"
                );
                free_from = at + half + 5.0;
            }
        }
        let _ = writeln!(out, "<path class=\"axis\" d=\"M{LEFT} {bottom}H{right}\"/>");
        let log = if self.log_x { " (log)" } else { "" };
        let (middle_x, middle_y) = ((LEFT + right) / 2.0, (TOP + bottom) / 2.0);
        let (x_label, y_label) = (escape(x_label), escape(&self.y_label));
        let _ = writeln!(
            out,
            "<text x=\"{middle_x}\" y=\"{}\" text-anchor=\"middle\">{x_label}{log}</text>\n\
             <text x=\"16\" y=\"{middle_y}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {middle_y})\">{y_label}</text>",
            bottom + 38.0
        );
        if let Some(at) = self.reference.as_ref().and_then(|(_, value)| place_y(*value)) {
            let _ = writeln!(out, "<path class=\"ref\" d=\"M{LEFT} {at:.1}H{right}\"/>");
        }
        for (number, series) in self.series.iter().enumerate() {
            let look = number % LOOKS;
            let places = series
                .points
                .iter()
                .filter_map(|point| Some((point, place_x(point.x)?, place_y(point.mean)?)));
            let places: Vec<_> = places.collect();
            let path: Vec<String> = places.iter().map(|(_, x, y)| format!("{x:.1} {y:.1}")).collect();
            let _ = writeln!(out, "<path class=\"s s{look}\" d=\"M{}\"/>", path.join("L"));
            for (point, x, y) in places {
                if let Some(bar) = point.deviation
                    && let Some((low, high)) = place_y(point.mean - bar).zip(place_y(point.mean + bar))
                {
                    let (left, wide) = (x - 4.0, 8.0);
                    let _ = writeln!(
                        out,
                        "<path class=\"s s{look} thin\" d=\"M{x:.1} {low:.1}V{high:.1}M{left:.1} {low:.1}h{wide}M{left:.1} {high:.1}h{wide}\"/>"
                    );
                }
                out.push_str(&mark(look, x, y, &hover(series, point)));
            }
        }
        self.legend(&mut out, 12.0, HEIGHT - 12.0);
        self.document(HEIGHT, &out)
    }

    /// A row for each name, with the value along the horizontal axis.
    fn rows(&self, value: Axis) -> String {
        let mut names: Vec<(f64, &str)> = Vec::new();
        for point in self.series.iter().flat_map(|series| &series.points) {
            if !names.iter().any(|(x, _)| *x == point.x) {
                names.push((point.x, &point.label));
            }
        }
        names.sort_by(|a, b| a.0.total_cmp(&b.0));
        let cut = |name: &str| match name.chars().count() > LONGEST {
            true => name.chars().take(LONGEST - 1).chain(['…']).collect(),
            false => name.to_owned(),
        };
        let longest = names
            .iter()
            .map(|(_, name)| cut(name).chars().count())
            .max()
            .unwrap_or(0);
        let left = 20.0 + longest as f64 * LETTER;
        let bottom = TOP + names.len() as f64 * ROW;
        let right = WIDTH - RIGHT;
        let place = |at: f64| value.position(at).map(|at| left + at * (right - left));
        let mut out = String::new();
        for (tick, text) in value.ticks() {
            let Some(at) = place(tick) else { continue };
            let _ = writeln!(out, "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/>");
            let (text, y) = (escape(&text), bottom + 19.0);
            let _ = writeln!(
                out,
                "<text x=\"{at:.1}\" y=\"{y}\" text-anchor=\"middle\">{text}</text>"
            );
        }
        let _ = writeln!(out, "<path class=\"axis\" d=\"M{left} {bottom}H{right}\"/>");
        let middle = (left + right) / 2.0;
        let (label, y) = (escape(&self.y_label), bottom + 39.0);
        let _ = writeln!(
            out,
            "<text x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\">{label}</text>"
        );
        if let Some(at) = self.reference.as_ref().and_then(|(_, value)| place(*value)) {
            let _ = writeln!(out, "<path class=\"ref\" d=\"M{at:.1} {TOP}V{bottom}\"/>");
        }
        for (row, (x, name)) in names.iter().enumerate() {
            let middle = TOP + (row as f64 + 0.5) * ROW;
            let (text, y) = (escape(&cut(name)), middle + 4.5);
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"end\">{text}</text>",
                left - 9.0
            );
            for (number, series) in self.series.iter().enumerate() {
                let look = number % LOOKS;
                // The series of a row lie one above the other.
                let y = middle + (number as f64 - (self.series.len() as f64 - 1.0) / 2.0) * 9.0;
                for point in series.points.iter().filter(|point| point.x == *x) {
                    let Some(at) = place(point.mean) else { continue };
                    if let Some(bar) = point.deviation
                        && let Some((low, high)) = place(point.mean - bar).zip(place(point.mean + bar))
                    {
                        let (top, tall) = (y - 4.0, 8.0);
                        let _ = writeln!(
                            out,
                            "<path class=\"s s{look} thin\" d=\"M{low:.1} {y:.1}H{high:.1}M{low:.1} {top:.1}v{tall}M{high:.1} {top:.1}v{tall}\"/>"
                        );
                    }
                    out.push_str(&mark(look, at, y, &hover(series, point)));
                }
            }
        }
        self.legend(&mut out, 12.0, bottom + 62.0);
        self.document(bottom + 74.0, &out)
    }

    fn legend(&self, out: &mut String, left: f64, y: f64) {
        let mut x = left;
        let names = self.series.iter().map(|series| series.name.as_str());
        let reference = self.reference.iter().map(|(name, _)| name.as_str());
        for (number, name) in names.chain(reference).enumerate() {
            if number < self.series.len() {
                let look = number % LOOKS;
                let _ = write!(out, "<path class=\"s s{look}\" d=\"M{x:.1} {:.1}h22\"/>", y - 4.0);
                out.push_str(&mark(look, x + 11.0, y - 4.0, ""));
            } else {
                let _ = writeln!(out, "<path class=\"ref\" d=\"M{x:.1} {:.1}h22\"/>", y - 4.0);
            }
            let _ = writeln!(
                out,
                "<text class=\"soft\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
                x + 28.0,
                escape(name)
            );
            x += 44.0 + name.chars().count() as f64 * LETTER;
        }
    }
}

/// The text that is shown when a point is touched.
fn hover(series: &MeasuredSeries, point: &MeasuredPoint) -> String {
    let bar = point
        .deviation
        .map_or(String::new(), |bar| format!(" ± {}", short(bar)));
    format!("{}, {}: {}{bar}", series.name, point.label, short(point.mean))
}

/// A circle, a square or a diamond: series differ in more than their colour.
fn mark(look: usize, x: f64, y: f64, title: &str) -> String {
    let title = match title {
        "" => String::new(),
        title => format!("<title>{}</title>", escape(title)),
    };
    let (left, top) = (x - 3.5, y - 3.5);
    match look {
        0 => format!("<circle class=\"f0\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\">{title}</circle>\n"),
        1 => format!("<rect class=\"f1\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"7\" height=\"7\">{title}</rect>\n"),
        _ => format!(
            "<path class=\"f2\" d=\"M{x:.1} {:.1}l5 5l-5 5l-5-5z\">{title}</path>\n",
            y - 5.0
        ),
    }
}

/// The page of a study as a complete HTML document.
pub fn study_page(page: &StudyPage) -> String {
    let title = escape(&page.title);
    let mut body = format!("<h1>{title}</h1>\n<dl class=\"summary\">\n");
    for (name, value) in &page.facts {
        let _ = writeln!(body, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
    }
    body.push_str("</dl>\n");
    for (caption, svg) in &page.figures {
        let caption = escape(caption);
        let _ = writeln!(
            body,
            "<figure class=\"chart\">\n<figcaption>{caption}</figcaption>\n{svg}</figure>"
        );
    }
    body.push_str("<h2>Results</h2>\n<div class=\"wide\">\n<table>\n<thead><tr>");
    for name in &page.header {
        let _ = write!(body, "<th scope=\"col\">{}</th>", escape(name));
    }
    body.push_str("</tr></thead>\n<tbody>\n");
    for row in &page.rows {
        body.push_str("<tr>");
        for (column, value) in row.iter().enumerate() {
            // A number stays on one line with its deviation or its unit.
            let value = match value.len() <= SHORT {
                true => escape(&value.replace(' ', "\u{a0}")),
                false => escape(value),
            };
            let _ = match column {
                0 => write!(body, "<th scope=\"row\">{value}</th>"),
                _ => write!(body, "<td>{value}</td>"),
            };
        }
        body.push_str("</tr>\n");
    }
    body.push_str("</tbody>\n</table>\n</div>\n");
    for note in &page.notes {
        let _ = writeln!(body, "<p class=\"note\">{}</p>", escape(note));
    }
    let style = include_str!("style.css");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{style}main > figure.chart {{ margin: 1.5rem 0; }}\n</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(label: &str, x: f64, mean: f64, deviation: Option<f64>) -> MeasuredPoint {
        MeasuredPoint {
            label: label.to_owned(),
            x,
            mean,
            deviation,
        }
    }

    fn figure(x_label: Option<&str>, points: Vec<MeasuredPoint>) -> StudyFigure {
        StudyFigure {
            title: "Batch size <1>".to_owned(),
            x_label: x_label.map(str::to_owned),
            log_x: true,
            y_label: "top-1 (%)".to_owned(),
            series: vec![MeasuredSeries {
                name: "linear & more".to_owned(),
                points,
            }],
            reference: Some(("untrained".to_owned(), 60.0)),
        }
    }

    /// The numbers of an attribute.
    fn numbers(svg: &str, attribute: &str) -> Vec<f64> {
        let start = format!(" {attribute}=\"");
        let parts = svg.split(&start).skip(1);
        parts
            .map(|part| part.split('"').next().unwrap().parse().unwrap())
            .collect()
    }

    #[test]
    fn powers_are_evenly_spaced_and_have_error_bars() {
        let points = [32.0, 64.0, 128.0, 256.0].map(|x: f64| point(&x.to_string(), x, 70.0 + x / 100.0, Some(0.5)));
        let svg = figure(Some("batch size"), points.to_vec()).svg();
        // The legend has a circle, too.
        let x = numbers(&svg, "cx");
        assert_eq!(x.len(), 5);
        assert!((x[1] - x[0] - (x[3] - x[2])).abs() < 0.3, "{x:?}");
        assert_eq!(svg.matches(" thin\"").count(), 4);
        assert!(svg.contains("batch size (log)") && svg.contains("class=\"ref\""));
        assert!(svg.contains("Batch size &lt;1&gt;") && svg.contains("linear &amp; more"));
        let y = numbers(&svg, "cy");
        assert!(y[0] > y[3], "a larger value is higher");
        assert!(svg.starts_with("<svg xmlns=") && !svg.contains("NaN"));
    }

    #[test]
    fn names_have_a_row_each() {
        let points = vec![
            point("baseline", 0.0, 71.4, None),
            point(
                "a name that is longer than what fits into the figure",
                2.0,
                0.1,
                Some(0.05),
            ),
        ];
        let svg = figure(None, points).svg();
        let y = numbers(&svg, "cy");
        assert_eq!((y[1] - y[0]).round(), ROW);
        assert!(svg.contains(">baseline</text>") && svg.contains("…</text>"), "{svg}");
        assert_eq!(svg.matches(" thin\"").count(), 1);
    }

    #[test]
    fn nothing_and_one_point_are_drawn() {
        assert!(figure(Some("x"), Vec::new()).svg().contains("</svg>"));
        let empty = StudyFigure::default().svg();
        assert!(empty.contains("Nothing to draw yet."));
        let one = figure(Some("x"), vec![point("8", 8.0, 70.0, None)]).svg();
        assert!(numbers(&one, "cx").iter().all(|x| (0.0..=WIDTH).contains(x)) && !one.contains("NaN"));
    }

    #[test]
    fn a_page_is_complete_and_escaped() {
        let page = study_page(&StudyPage {
            title: "<script>".to_owned(),
            facts: vec![("recipe".to_owned(), "a&b".to_owned())],
            header: vec!["cell".to_owned(), "linear".to_owned()],
            rows: vec![vec!["x".to_owned(), "71.2 ± 0.3".to_owned()]],
            figures: vec![(
                "figure".to_owned(),
                figure(None, vec![point("a", 0.0, 1.0, None)]).svg(),
            )],
            notes: vec!["note".to_owned()],
        });
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
        assert!(!page.contains("<script") && page.contains("a&amp;b") && page.contains("<svg xmlns="));
    }
}
