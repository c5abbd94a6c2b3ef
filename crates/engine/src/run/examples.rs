//! Example images and their views, saved at the start of a run for its report.

use crate::context::RunContext;
use crate::files::write_atomic;
use crate::run_dir::RunDir;
use anyhow::Result;
use barlow_augment::{CropBox, Image8, RgbImage8, Views, encode_png, resize_bicubic};
use barlow_report::Picture;
use std::path::PathBuf;

/// The number of example images.
const EXAMPLES: usize = 6;

/// The longest side of a saved picture: larger ones would make a report of many megabytes.
const MOST_PIXELS: usize = 128;

/// The report stops after the example with which the pictures are larger than this: some methods have ten views.
const MOST_BYTES: usize = 700_000;

/// Saves a few images, evenly spaced over the data set, with their views of the first epoch.
///
/// # Errors
/// If the views are invalid, or a file cannot be written.
pub(super) fn save(context: &RunContext) -> Result<()> {
    let plan = &context.plan;
    let views = Views::new(&plan.method.views, context.sources.normalization.clone())?;
    let source = context.sources.train.as_ref();
    let wanted = EXAMPLES.min(source.len());
    let spread = (0..wanted).map(|example| example * source.len() / wanted);
    // A bad image is skipped here; the loader reports or replaces it.
    let images = spread.filter_map(|index| Some((index, source.image(index).ok()?)));
    for (example, (index, image)) in images.enumerate() {
        let pictures = views.apply_u8(&image, plan.config.run.seed, 0, index as u64);
        let named = pictures
            .iter()
            .enumerate()
            .map(|(view, picture)| (views.name(view), picture));
        for (name, picture) in std::iter::once(("image".to_owned(), image.as_ref())).chain(named) {
            write_atomic(&view_path(&context.run, example, &name), &encode_png(&shown(picture))?)?;
        }
    }
    Ok(())
}

/// The image as the report shows it: no side is longer than it can show.
fn shown(image: &Image8) -> RgbImage8 {
    let (width, height) = (image.width(), image.height());
    let longest = width.max(height);
    if longest <= MOST_PIXELS {
        return image.preview();
    }
    let scaled = |side: usize| (side * MOST_PIXELS / longest).max(1);
    resize_bicubic(image, CropBox::whole(width, height), scaled(width), scaled(height)).preview()
}

/// The file of an example's original image (`image`) or of one of its views.
fn view_path(run: &RunDir, example: usize, name: &str) -> PathBuf {
    run.root().join("views").join(format!("{example}-{name}.png"))
}

/// Reads the saved examples: for each, the original image followed by its views. Unreadable files are skipped.
pub(super) fn read(run: &RunDir) -> Vec<Vec<Picture>> {
    let entries = std::fs::read_dir(run.root().join("views"))
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    // Alphabetical order puts an example's `image` before its `view_*`.
    names.sort_unstable();
    let of_example = |example: usize| -> Vec<Picture> {
        let prefix = format!("{example}-");
        let named = names
            .iter()
            .filter_map(|name| name.strip_prefix(&prefix)?.strip_suffix(".png"));
        let picture = |name: &str| {
            Some(Picture {
                caption: name.replace('_', " "),
                png: std::fs::read(view_path(run, example, name)).ok()?,
            })
        };
        named.filter_map(picture).collect()
    };
    let mut bytes = 0;
    (0..EXAMPLES)
        .map(of_example)
        .filter(|pictures| pictures.len() > 1)
        .take_while(|pictures| {
            let fits = bytes < MOST_BYTES;
            bytes += pictures.iter().map(|picture| picture.png.len()).sum::<usize>();
            fits
        })
        .collect()
}
