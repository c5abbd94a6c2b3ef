//! The document around a page's content, and the markup that several sections share.

use crate::data::Thumbnails;
use crate::encode::png_uri;
use crate::palette;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const FIGURES: &str = include_str!("figure.css");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Nothing is loaded from outside. `connect-src` is for a page that is served while its run goes on, which asks for its new
/// state.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'";

/// A complete document.
pub(crate) fn document(title: &str, thumbnails: &Thumbnails, content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) }
                style {
                    (PreEscaped(palette::properties())) (PreEscaped(FIGURES)) (PreEscaped(STYLE))
                    (PreEscaped(sprite(thumbnails)))
                }
            }
            body {
                main { (content) }
                div #card hidden {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    let mut text = page.into_string();
    // Names of files and classes may hold control characters, which HTML does not allow.
    text.retain(|character| !character.is_control() || matches!(character, '\n' | '\t'));
    text
}

/// The rule that all thumbnails share: one picture, shown in parts.
fn sprite(thumbnails: &Thumbnails) -> String {
    let Thumbnails { side, columns, png } = thumbnails;
    if png.is_empty() {
        return String::new();
    }
    let uri = png_uri(png);
    format!(".thumb {{ --side: {side}; --columns: {columns}; background-image: url({uri}); }}\n")
}

/// A section with its heading; nothing if it has no content.
pub(crate) fn section(id: &str, heading: &str, content: &Markup) -> Markup {
    html! {
        @if !content.0.is_empty() {
            section id=(id) {
                h2 { (heading) }
                (content)
            }
        }
    }
}

/// A list of names and values.
pub(crate) fn pairs(rows: &[(String, String)]) -> Markup {
    html! {
        @if !rows.is_empty() {
            dl.summary {
                @for (name, value) in rows {
                    div { dt { (name) } dd { (value) } }
                }
            }
        }
    }
}

/// A table of names and values, for long values.
pub(crate) fn value_table(rows: &[(String, String)]) -> Markup {
    html! {
        @if !rows.is_empty() {
            div.wide { table.values {
                tbody {
                    @for (name, value) in rows {
                        tr { th scope="row" { (name) } td { (value) } }
                    }
                }
            } }
        }
    }
}

/// `text` as it stands in markup and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    html! { (text) }.into_string()
}

/// `text` with a capital first letter.
pub(crate) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// At most `most` characters of `text`, the last one an ellipsis if there are more.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let start: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", start.trim_end())
}

/// A fraction as percent.
pub(crate) fn percent(part: f64) -> String {
    format!("{:.2} %", 100.0 * part)
}

/// A number of things with separators between the thousands.
pub(crate) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shortened_by_characters() {
        assert_eq!(shortened("猫と犬", 3), "猫と犬");
        assert_eq!(shortened("猫と犬と鳥", 4), "猫と犬…");
        assert_eq!(capitalised("über"), "Über");
        assert_eq!([count(7), count(1234), count(1_234_567)], ["7", "1,234", "1,234,567"]);
    }
}
