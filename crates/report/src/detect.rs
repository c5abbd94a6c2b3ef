//! The page of a detection: average precision of every start, by class and size, curves, and pictures with boxes and masks over the truth.

use crate::chart::{Look, drawing as chart};
use crate::data::{Curve, Thumbnails};
use crate::drawing::Drawing;
use crate::encode::png_uri;
use crate::html::{document, section, shortened, value_table};
use maud::{Markup, html};

/// The page of a detection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DetectPage {
    /// Heading.
    pub title: String,
    /// What the numbers are, in a sentence.
    pub definition: String,
    /// Tables, in order.
    pub tables: Vec<DetectTable>,
    /// Precision over recall, and the like.
    pub curves: Vec<Curve>,
    /// Test images with what was found on them.
    pub pictures: Vec<DetectPicture>,
    /// What the pictures show, in a sentence.
    pub pictures_note: String,
    /// Data, recipe and machine: name and value.
    pub facts: Vec<(String, String)>,
    /// Remarks, a paragraph each.
    pub notes: Vec<String>,
}

/// A table of numbers; the first value of each row is its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DetectTable {
    /// Heading.
    pub title: String,
    /// Headings of its columns.
    pub header: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
}

/// An image with boxes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DetectPicture {
    /// Name of the image.
    pub name: String,
    /// A PNG file of `size`, with masks blended in.
    pub png: Vec<u8>,
    /// Width and height in pixels.
    pub size: [usize; 2],
    /// Its boxes.
    pub boxes: Vec<DrawnBox>,
}

/// A box over an image.
#[derive(Clone, Debug, PartialEq)]
pub struct DrawnBox {
    /// x1, y1, x2, y2 in pixels of the picture.
    pub corners: [f32; 4],
    /// What it is.
    pub kind: BoxKind,
    /// Class, and score of a detection.
    pub label: String,
}

/// What a box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoxKind {
    /// A detection of an object.
    Right,
    /// A detection of none, or of one that was found already.
    Wrong,
    /// An object that was not found.
    Missed,
}

impl BoxKind {
    const ALL: [Self; 3] = [Self::Right, Self::Wrong, Self::Missed];

    fn class(self) -> &'static str {
        match self {
            Self::Right => "box right",
            Self::Wrong => "box wrong",
            Self::Missed => "box missed",
        }
    }

    /// Read by those who see no colours.
    fn text(self) -> &'static str {
        match self {
            Self::Right => "correct detection",
            Self::Wrong => "wrong detection",
            Self::Missed => "missed object",
        }
    }
}

/// The page as a complete HTML document.
pub fn detect_page(page: &DetectPage) -> String {
    let charts: Vec<Drawing> = page.curves.iter().map(curve_drawing).collect();
    let pictures: Vec<Drawing> = page.pictures.iter().enumerate().map(picture).collect();
    let content = html! {
        header {
            h1 { (page.title) }
            @if !page.definition.is_empty() { p.subtitle { (page.definition) } }
        }
        @for note in &page.notes { p.note { (note) } }
        @for (at, table) in page.tables.iter().enumerate() {
            (section(&format!("table-{at}"), &table.title, &numbers(table)))
        }
        (section("curves", "Precision and recall", &grid(&charts)))
        (section("pictures", "What was found", &html! {
            @if !pictures.is_empty() {
                p { (page.pictures_note) }
                (grid(&pictures))
            }
        }))
        (section("facts", "Data, recipe and machine", &value_table(&page.facts)))
    };
    document(&page.title, &Thumbnails::default(), &content)
}

/// A chart whose legend has names alone: the last value of a curve of precision says nothing.
fn curve_drawing(curve: &Curve) -> Drawing {
    let looks: Vec<Look> = (0..curve.series.len()).map(Look::nth).collect();
    let mut drawing = chart(curve, &looks);
    for ((_, text), series) in drawing.legend.iter_mut().zip(&curve.series) {
        *text = html! { (series.name) };
    }
    drawing
}

fn grid(drawings: &[Drawing]) -> Markup {
    html! {
        @if !drawings.is_empty() {
            div.charts { @for drawing in drawings { (drawing.figure()) } }
        }
    }
}

fn numbers(table: &DetectTable) -> Markup {
    html! {
        @if !table.rows.is_empty() {
            div.wide { table {
                thead { tr { @for name in &table.header { th scope="col" { (name) } } } }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (at, value) in row.iter().enumerate() {
                                @if at == 0 { th scope="row" { (value) } } @else { td { (value) } }
                            }
                        }
                    }
                }
            } }
        }
    }
}

/// An image with its boxes as a drawing.
fn picture((number, picture): (usize, &DetectPicture)) -> Drawing {
    let [width, height] = picture.size.map(|side| side as f64);
    // Lines and letters as large on a small image as on a large one.
    let scale = width.max(height) / 480.0;
    let count = |kind: BoxKind| picture.boxes.iter().filter(|drawn| drawn.kind == kind).count();
    let counts: Vec<String> = BoxKind::ALL
        .into_iter()
        .filter(|&kind| count(kind) > 0)
        .map(|kind| counted(count(kind), kind))
        .collect();
    let content = html! {
        image href=(png_uri(&picture.png)) width=(width) height=(height) {}
        @for drawn in &picture.boxes {
            @let [x1, y1, x2, y2] = drawn.corners;
            g class=(drawn.kind.class()) {
                title { (drawn.kind.text()) ": " (drawn.label) }
                rect x=(format!("{x1:.1}")) y=(format!("{y1:.1}")) width=(format!("{:.1}", x2 - x1))
                    height=(format!("{:.1}", y2 - y1)) vector-effect="non-scaling-stroke" {}
                text x=(format!("{:.1}", x1 + 2.0 * scale as f32)) y=(format!("{:.1}", y1 + 11.0 * scale as f32))
                    style=(format!("font-size:{:.1}px", 11.0 * scale)) { (drawn.label) }
            }
        }
    };
    let legend = BoxKind::ALL.into_iter().filter(|&kind| count(kind) > 0);
    Drawing {
        id: format!("detections-{number}"),
        kind: "detections",
        title: shortened(&picture.name, 60),
        description: format!("{}: {}", picture.name, counts.join(", ")),
        size: [width, height],
        content,
        legend: legend
            .map(|kind| {
                let mark = html! { g class=(kind.class()) { rect x="1" y="1" width="26" height="8" {} } };
                (
                    mark,
                    html! { (count(kind)) " " (kind.text()) @if count(kind) > 1 { "s" } },
                )
            })
            .collect(),
        note: String::new(),
    }
}

fn counted(count: usize, kind: BoxKind) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {}{plural}", kind.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Series;

    #[test]
    fn a_page_has_its_numbers_curves_and_pictures_and_escapes_names() {
        let drawn = |kind, label: &str| DrawnBox {
            corners: [1.0, 2.0, 30.0, 20.0],
            kind,
            label: label.to_owned(),
        };
        let page = detect_page(&DetectPage {
            title: "cells <1>".into(),
            definition: "COCO".into(),
            tables: vec![DetectTable {
                title: "Average precision".into(),
                header: vec!["start".into(), "AP".into()],
                rows: vec![vec!["pre-trained".into(), "0.5".into()]],
            }],
            curves: vec![Curve {
                title: "AP50".into(),
                series: vec![Series::line("RBC", vec![(0.0, 1.0), (1.0, 0.2)])],
                ..Curve::default()
            }],
            pictures: vec![DetectPicture {
                name: "a&b.jpg".into(),
                png: vec![1, 2, 3],
                size: [64, 48],
                boxes: vec![
                    drawn(BoxKind::Right, "RBC 0.9"),
                    drawn(BoxKind::Right, "RBC 0.8"),
                    drawn(BoxKind::Missed, "<WBC>"),
                ],
            }],
            pictures_note: "boxes".into(),
            facts: vec![("data".into(), "x".into())],
            notes: vec!["one".into()],
        });
        for part in [
            "<h1>cells &lt;1&gt;</h1>",
            "<th scope=\"row\">pre-trained</th><td>0.5</td>",
            "<span>RBC</span>",
            "missed object: &lt;WBC&gt;",
            "2 correct detections",
            "a&amp;b.jpg: 2 correct detections, 1 missed object",
            "class=\"box missed\"",
            "data:image/png;base64,AQID",
            "viewBox=\"0 0 64 48\"",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        assert!(!page.contains("wrong detection"));
        assert!(!page.contains("src=\"http") && !page.contains("href=\"http"));
        let empty = detect_page(&DetectPage::default());
        assert!(!empty.contains("<h2"));
    }
}
