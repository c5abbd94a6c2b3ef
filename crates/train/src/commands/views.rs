//! The `views` command: writes the views of one image as a contact sheet, to inspect them before hours of training.

use super::sheet::{GAP, Sheet, fitted};
use crate::console::print_result;
use anyhow::Context;
use barlow_augment::{Image8, Normalization, RgbImage8, Views, decode_channels, encode_png};
use barlow_engine::config::Config;
use barlow_engine::error::RunError;
use barlow_engine::files::write_atomic;
use std::path::Path;

/// Draws of each view on a sheet.
const DRAWS: usize = 8;

/// Writes a sheet: the image on the left, to its right a row of draws for each view of the method.
///
/// # Errors
/// When the image cannot be read or the sheet not be written.
pub fn run(image: &Path, config: &Config, out: Option<&Path>) -> Result<(), RunError> {
    let bytes = std::fs::read(image).with_context(|| format!("cannot read {}", image.display()));
    let bytes = bytes.map_err(RunError::Usage)?;
    let channels = config.model.in_channels;
    let image = decode_channels(&bytes, channels)
        .with_context(|| format!("cannot decode {}", image.display()))
        .map_err(RunError::Usage)?;
    let spec = config.method_definition().spec(&config.method_inputs(None));
    let views = Views::new(&spec.views, Normalization::unit(channels)).map_err(RunError::usage)?;
    let out = out.unwrap_or(Path::new("views.png"));
    write_atomic(
        out,
        &encode_png(&sheet(&image, &views, config)).map_err(anyhow::Error::from)?,
    )?;
    print_result(&format!(
        "the image and {DRAWS} draws of its views ({}, from top to bottom) are in {}",
        (0..views.len())
            .map(|view| views.name(view))
            .collect::<Vec<_>>()
            .join(", "),
        out.display()
    ));
    Ok(())
}

fn sheet(image: &Image8, views: &Views, config: &Config) -> RgbImage8 {
    let largest = (0..views.len()).map(|view| views.size(view)).max().unwrap_or(1);
    let row = largest + GAP;
    let height = views.len() * row - GAP;
    let original = fitted(image, 2 * largest, height);
    let first = original.width() + 2 * GAP;
    let mut sheet = Sheet::new(first + DRAWS * row - GAP, height);
    sheet.put(&original, 0, (height - original.height()) / 2);
    for draw in 0..DRAWS {
        let drawn = views.apply_u8(image, config.run.seed, 0, draw as u64);
        for (view, picture) in drawn.iter().enumerate() {
            sheet.put(&picture.preview(), first + draw * row, view * row);
        }
    }
    sheet.picture()
}
