//! Example images with their views, saved at the start of a run for its report.

use crate::context::RunContext;
use crate::files::write_atomic;
use crate::run_dir::RunDir;
use anyhow::Result;
use barlow_augment::{Views, encode_png};
use barlow_report::Picture;
use std::path::PathBuf;

/// Images whose views are saved for the report.
const EXAMPLES: usize = 6;

/// Saves the first epoch's views of a few images, spread over the data set, for the report.
pub(super) fn save(context: &RunContext) -> Result<()> {
    let plan = &context.plan;
    let views = Views::new(&plan.method.views, context.sources.normalization.clone())?;
    let source = context.sources.train.as_ref();
    let wanted = EXAMPLES.min(source.len());
    let spread = (0..wanted).map(|example| example * source.len() / wanted);
    // A bad image is reported, or replaced, by the loader.
    let images = spread.filter_map(|index| Some((index, source.image(index).ok()?)));
    for (example, (index, image)) in images.enumerate() {
        let pictures = views.apply_u8(&image, plan.config.run.seed, 0, index as u64);
        let named = pictures
            .iter()
            .enumerate()
            .map(|(view, picture)| (views.name(view), picture));
        for (name, picture) in std::iter::once(("image".to_owned(), image.as_ref())).chain(named) {
            write_atomic(
                &view_path(&context.run, example, &name),
                &encode_png(&picture.preview())?,
            )?;
        }
    }
    Ok(())
}

/// The file of an example's image or view.
fn view_path(run: &RunDir, example: usize, name: &str) -> PathBuf {
    run.root().join("views").join(format!("{example}-{name}.png"))
}

/// The example images that were saved, each with its views in order.
pub(super) fn read(run: &RunDir) -> Vec<Vec<Picture>> {
    let entries = std::fs::read_dir(run.root().join("views"))
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    // The image first, then the views: in alphabetical order these are theirs.
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
    (0..EXAMPLES)
        .map(of_example)
        .filter(|pictures| pictures.len() > 1)
        .collect()
}
