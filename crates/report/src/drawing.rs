//! A drawing: the same SVG content inside a page and as a file of its own.

use crate::html::shortened;
use crate::palette;
use maud::{Markup, PreEscaped, html};

const STYLE: &str = include_str!("figure.css");

/// Height of a row of the legend in a file.
const ROW: f64 = 20.0;
/// Space above the drawing for its heading in a file.
const HEAD: f64 = 30.0;

/// A drawing with its heading and its legend.
pub(crate) struct Drawing {
    /// Part of the name of its file; unique in a report.
    pub id: String,
    /// Class of the figure.
    pub kind: &'static str,
    /// Heading.
    pub title: String,
    /// What it shows, for those who do not see it.
    pub description: String,
    /// Width and height of the drawing area.
    pub size: [f64; 2],
    /// Its content; empty if there is nothing to draw.
    pub content: Markup,
    /// Content of a small drawing of 28 × 10, and the text beside it.
    pub legend: Vec<(Markup, Markup)>,
    /// A sentence below it.
    pub note: String,
}

impl Drawing {
    /// A `<figure>` of a page.
    pub(crate) fn figure(&self) -> Markup {
        let [width, height] = self.size;
        html! {
            figure class=(format!("drawing {}", self.kind)) data-figure=(self.id) {
                figcaption { (self.title) }
                @if self.content.0.is_empty() {
                    p.empty { "Nothing to draw yet." }
                } @else {
                    svg viewBox=(format!("0 0 {width} {height}")) role="img" aria-label=(self.description) {
                        (self.content)
                    }
                }
                @if !self.legend.is_empty() {
                    ul.legend {
                        @for (mark, text) in &self.legend {
                            li { svg viewBox="0 0 28 10" aria-hidden="true" { (mark) } span { (text) } }
                        }
                    }
                }
                @if !self.note.is_empty() { p.caption { (self.note) } }
            }
        }
    }

    /// A complete SVG file; `None` if there is nothing to draw.
    pub(crate) fn file(&self) -> Option<String> {
        if self.content.0.is_empty() {
            return None;
        }
        let [width, height] = self.size;
        let columns = ((width / 230.0) as usize).clamp(1, self.legend.len().max(1));
        let column = width / columns as f64;
        let rows = self.legend.len().div_ceil(columns);
        let total = HEAD + height + 8.0 + rows as f64 * ROW + 10.0;
        let place = |at: usize| {
            [
                8.0 + (at % columns) as f64 * column,
                HEAD + height + 8.0 + (at / columns) as f64 * ROW,
            ]
        };
        let drawing = html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {width} {total}")) width=(width) height=(total)
                role="img" aria-label=(self.description) {
                style { (PreEscaped(palette::resolved(STYLE))) }
                rect.paper width=(width) height=(total) {}
                text.heading x="8" y="20" { (shortened(&self.title, (width / 9.0) as usize)) }
                g transform=(format!("translate(0 {HEAD})")) { (self.content) }
                @for (at, (mark, text)) in self.legend.iter().enumerate() {
                    @let [x, y] = place(at);
                    g transform=(format!("translate({x:.1} {y:.1})")) {
                        (mark)
                        text x="34" y="9.5" { (PreEscaped(plain(text, (column / 7.5) as usize - 5))) }
                    }
                }
            }
        };
        let text = drawing.into_string();
        Some(
            text.chars()
                .filter(|character| !character.is_control() || matches!(character, '\n' | '\t'))
                .collect(),
        )
    }
}

/// The text of a markup without its tags, shortened; still escaped.
fn plain(markup: &Markup, most: usize) -> String {
    let mut out = String::new();
    let (mut in_tag, mut in_entity, mut letters) = (false, false, 0);
    for character in markup.0.chars() {
        match character {
            '<' => in_tag = true,
            '>' if in_tag => in_tag = false,
            _ if in_tag => {}
            _ => {
                if !in_entity {
                    letters += 1;
                    if letters > most {
                        out.push('…');
                        break;
                    }
                }
                in_entity = (in_entity || character == '&') && character != ';';
                out.push(character);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legend_loses_its_tags_and_keeps_its_escapes() {
        assert_eq!(plain(&html! { "a<b " b { "12" } }, 20), "a&lt;b 12");
        assert_eq!(plain(&html! { "&&&&" }, 3), "&amp;&amp;&amp;…");
    }
}
