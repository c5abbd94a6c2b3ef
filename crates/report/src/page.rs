//! The page: headings, tables, charts and pictures, the most important first.

use crate::data::{Portrait, ReportData, Thumbnails};
use crate::drawing::Drawing;
use crate::html::{count, document, pairs, section, value_table};
use crate::{classes, compare, figures, gallery, heat, map, sections};
use maud::{Markup, html};

/// The report of one run as a complete HTML document.
pub fn render(run: &ReportData) -> String {
    let content = html! {
        header {
            h1 { (run.title) }
            @if !run.subtitle.is_empty() { p.subtitle { (run.subtitle) } }
        }
        (sections::headline(run))
        @for note in &run.notes { p.note { (note) } }
        (pairs(&run.summary))
        (section("training", "Training", &grid(&figures::charts(run))))
        (body(run))
    };
    document(&run.title, &run.thumbnails, &content)
}

/// One document for several runs: their results side by side, what differs in their configs, and their series in shared charts. A
/// single run gives the page of [`render`].
pub fn render_many(runs: &[ReportData]) -> String {
    if let [run] = runs {
        return render(run);
    }
    let title = format!("{} runs", runs.len());
    let content = html! {
        header { h1 { (title) } }
        (section("results", "Results", &compare::results(runs)))
        (section("significance", "Seeds and significance", &compare::significance(runs)))
        (section("differences", "Differences in the configs", &compare::config(runs)))
        (section("training", "Training", &grid(&figures::shared(runs))))
        @for (at, run) in runs.iter().enumerate() {
            section.run id=(format!("run-{at}")) {
                h2.run { (run.title) }
                @for note in &run.notes { p.note { (note) } }
                @if let Some(last) = run.correlations.last() { (grid(&[heat::correlation(last)])) }
                details { summary { "Config and how to repeat it" } (sections::config(run)) (value_table(&run.repeat)) }
            }
        }
    };
    document(&title, &Thumbnails::default(), &content)
}

/// Everything below the charts.
fn body(run: &ReportData) -> Markup {
    let thumbnails = &run.thumbnails;
    let matrices: Vec<Drawing> = run.correlations.iter().map(heat::correlation).collect();
    let evaluations = html! { @for evaluation in &run.evaluations { (sections::evaluation(evaluation)) } };
    html! {
        @if !matrices.is_empty() {
            (section("correlation", "Cross-correlation of the views", &html! {
                p {
                    "The loss wants this matrix to be the identity: a strong diagonal (each dimension is the same in both views), "
                    "and nothing off it (no two dimensions say the same)."
                }
                (grid(&matrices))
            }))
        }
        @if let Some(portrait) = &run.portrait {
            (section("map", "Map of the representations", &maps(portrait)))
            (section("neighbours", "Nearest neighbours", &neighbours(portrait, thumbnails)))
            (section("classes", "Classes", &by_class(portrait, thumbnails)))
        }
        (section("views", "What the network sees", &views(run)))
        (section("evaluations", "Later evaluations", &evaluations))
        (section("time", "Where the time went", &sections::time(run)))
        (section("data", "Data", &value_table(&run.data)))
        (section("config", "Config", &sections::config(run)))
        (section("repeat", "How to repeat it", &value_table(&run.repeat)))
    }
}

fn grid(drawings: &[Drawing]) -> Markup {
    html! {
        @if !drawings.is_empty() {
            div.charts { @for drawing in drawings { (drawing.figure()) } }
        }
    }
}

fn views(run: &ReportData) -> Markup {
    let views = sections::views(&run.views);
    html! {
        @if !views.0.is_empty() {
            p { "Images of the training set, each with its views of the first epoch." }
            (views)
        }
    }
}

fn maps(portrait: &Portrait) -> Markup {
    let maps = map::maps(portrait);
    html! {
        @if !maps.is_empty() {
            p {
                @if portrait.map.len() < portrait.images {
                    (count(portrait.map.len())) " of the " (count(portrait.images))
                    " test images, with the same share of each class. "
                } @else {
                    "All " (count(portrait.images)) " test images. "
                }
                "The classes were not seen in training. Touch a point to see its image."
            }
            (grid(&maps))
        }
    }
}

fn neighbours(portrait: &Portrait, thumbnails: &Thumbnails) -> Markup {
    let gallery = gallery::gallery(portrait, thumbnails);
    html! {
        @if !gallery.0.is_empty() {
            p {
                "Test images, and the training images whose representations are nearest (cosine). ✓ same class, ✗ another class. "
                "The first of each class, in the order of the test set, and then images that are classified wrongly."
            }
            (gallery)
        }
    }
}

fn by_class(portrait: &Portrait, thumbnails: &Thumbnails) -> Markup {
    html! {
        (grid(&classes::drawings(portrait)))
        (classes::all_classes(portrait))
        (classes::worst_pairs(portrait, thumbnails))
    }
}
