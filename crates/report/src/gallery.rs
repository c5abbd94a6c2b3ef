//! The gallery of nearest neighbours: test images with the training images nearest to them.

use crate::data::{GalleryRow, Portrait, Shown, Thumbnails};
use crate::drawing::Drawing;
use crate::html::shortened;
use crate::map::class_name;
use crate::thumbnail::{Mark, svg_picture, svg_thumbnail, thumbnail};
use maud::{Markup, html};

/// Side of a thumbnail in a file.
const CELL: f64 = 64.0;

/// The gallery of a page.
pub(crate) fn gallery(portrait: &Portrait, thumbnails: &Thumbnails) -> Markup {
    html! {
        @if !portrait.gallery.is_empty() {
            div.gallery data-figure="gallery" {
                @for row in &portrait.gallery {
                    @let wrong = row.predicted != row.query.class;
                    figure.neighbours .missed[wrong] {
                        figcaption {
                            bdi { (class_name(portrait, row.query.class)) }
                            @if wrong { " → " bdi { (class_name(portrait, row.predicted)) } }
                        }
                        div.row {
                            (thumbnail(&row.query, thumbnails, Mark::None, &query(row, portrait)))
                            span.arrow aria-hidden="true" { "→" }
                            @for (image, similarity) in &row.neighbours {
                                (thumbnail(image, thumbnails, Mark::of(image.class, row.query.class),
                                    &neighbour(row, image, *similarity, portrait)))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The gallery as a file.
pub(crate) fn drawing(portrait: &Portrait, thumbnails: &Thumbnails) -> Option<Drawing> {
    let most = portrait.gallery.iter().map(|row| row.neighbours.len()).max()?;
    let (left, line) = (170.0, CELL + 22.0);
    let square = |column: usize, row: usize| [left + column as f64 * (CELL + 8.0), row as f64 * line, CELL];
    let content = html! {
        (svg_picture(thumbnails))
        @for (at, row) in portrait.gallery.iter().enumerate() {
            text.strong x="8" y=(at as f64 * line + CELL / 2.0) { (shortened(&class_name(portrait, row.query.class), 20)) }
            (svg_thumbnail(&row.query, thumbnails, Mark::None, square(0, at), &query(row, portrait)))
            @for (column, (image, similarity)) in row.neighbours.iter().enumerate() {
                (svg_thumbnail(image, thumbnails, Mark::of(image.class, row.query.class), square(column + 1, at),
                    &neighbour(row, image, *similarity, portrait)))
            }
        }
    };
    Some(Drawing {
        id: "gallery".into(),
        kind: "gallery",
        title: "Nearest neighbours: a test image, and the training images nearest to it".into(),
        description: format!(
            "{} test images, each with its {most} nearest training images, marked as right or wrong by class.",
            portrait.gallery.len()
        ),
        size: [
            left + (most + 1) as f64 * (CELL + 8.0),
            portrait.gallery.len() as f64 * line,
        ],
        content,
        legend: Vec::new(),
        note: String::new(),
    })
}

fn query(row: &GalleryRow, portrait: &Portrait) -> String {
    let class = class_name(portrait, row.query.class);
    let predicted = class_name(portrait, row.predicted);
    format!("test image of {class}, predicted as {predicted}: {}", row.query.name)
}

fn neighbour(row: &GalleryRow, image: &Shown, similarity: f32, portrait: &Portrait) -> String {
    let class = class_name(portrait, image.class);
    let verdict = if image.class == row.query.class {
        "right"
    } else {
        "wrong"
    };
    format!(
        "training image of {class}, {verdict}, cosine {similarity:.3}: {}",
        image.name
    )
}
