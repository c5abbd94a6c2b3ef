//! A thumbnail: a part of the page's one picture of small images.

use crate::data::{Shown, Thumbnails};
use crate::encode::png_uri;
use maud::{Markup, html};

/// How a thumbnail is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Not at all.
    None,
    /// Of the right class.
    Right,
    /// Of a wrong class.
    Wrong,
}

impl Mark {
    /// Whether two classes are equal.
    pub(crate) fn of(class: usize, wanted: usize) -> Self {
        if class == wanted { Self::Right } else { Self::Wrong }
    }

    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Right => " right",
            Self::Wrong => " wrong",
        }
    }

    /// Read by those who see no colours.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Right => "✓",
            Self::Wrong => "✗",
        }
    }
}

/// A thumbnail that can be focused; `what` describes it completely.
pub(crate) fn thumbnail(image: &Shown, thumbnails: &Thumbnails, mark: Mark, what: &str) -> Markup {
    let columns = thumbnails.columns.max(1);
    let (x, y) = (image.thumbnail % columns, image.thumbnail / columns);
    html! {
        span.frame .right[mark == Mark::Right] .wrong[mark == Mark::Wrong] {
            span.thumb role="img" tabindex="0" aria-label=(what) style=(format!("--x:{x};--y:{y}")) {}
            @if mark != Mark::None { span.sign aria-hidden="true" { (mark.sign()) } }
        }
    }
}

/// The picture of all thumbnails, once in a stand-alone SVG file.
pub(crate) fn svg_picture(thumbnails: &Thumbnails) -> Markup {
    html! {
        @if !thumbnails.png.is_empty() {
            defs {
                image #all href=(png_uri(&thumbnails.png)) width=(thumbnails.columns * thumbnails.side)
                    style="image-rendering:pixelated" {}
            }
        }
    }
}

/// A thumbnail in a stand-alone SVG file, as a square at `(left, top)`.
pub(crate) fn svg_thumbnail(
    image: &Shown,
    thumbnails: &Thumbnails,
    mark: Mark,
    [left, top, size]: [f64; 3],
    what: &str,
) -> Markup {
    let (columns, side) = (thumbnails.columns.max(1), thumbnails.side);
    let (x, y) = (image.thumbnail % columns * side, image.thumbnail / columns * side);
    html! {
        svg x=(left) y=(top) width=(size) height=(size) viewBox=(format!("{x} {y} {side} {side}")) role="img"
            aria-label=(what) {
            title { (what) }
            @if !thumbnails.png.is_empty() { use href="#all" {} }
        }
        @if mark != Mark::None {
            rect class=(format!("frame{}", mark.class())) x=(left) y=(top) width=(size) height=(size) {}
            text class=(format!("sign{}", mark.class())) x=(left + size / 2.0) y=(top + size + 13.0)
                text-anchor="middle" { (mark.sign()) }
        }
    }
}
