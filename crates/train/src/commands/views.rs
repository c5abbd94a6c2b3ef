//! `views`: the two views of one image as a sheet of pixels, to look at before hours are spent on them.

use anyhow::Context;
use barlow_augment::{Image8, Normalization, RgbImage8, TwinViews, decode_channels, encode_png};
use barlow_train::config::Config;
use barlow_train::console::print_result;
use barlow_train::error::AppError;
use barlow_train::run_dir::write_atomic;
use std::path::Path;

/// Pairs on a sheet.
const PAIRS: usize = 8;
/// Pixels between two views.
const GAP: usize = 2;

/// Writes a sheet with view_a in the upper row and view_b in the lower one.
///
/// # Errors
/// When the image cannot be read or the sheet not be written.
pub fn run(image: &Path, config: &Config, out: Option<&Path>) -> Result<(), AppError> {
    let bytes = std::fs::read(image).with_context(|| format!("cannot read {}", image.display()));
    let bytes = bytes.map_err(AppError::Usage)?;
    let channels = config.model.in_channels;
    let image = decode_channels(&bytes, channels)
        .with_context(|| format!("cannot decode {}", image.display()))
        .map_err(AppError::Usage)?;
    let views = TwinViews::new(&config.views, Normalization::unit(channels)).map_err(AppError::usage)?;
    let out = out.unwrap_or(Path::new("views.png"));
    write_atomic(
        out,
        &encode_png(&sheet(&image, &views, config)).map_err(anyhow::Error::from)?,
    )?;
    print_result(&format!(
        "{PAIRS} pairs of views (view_a above view_b) are in {}",
        out.display()
    ));
    Ok(())
}

fn sheet(image: &Image8, views: &TwinViews, config: &Config) -> RgbImage8 {
    let size = config.views.size;
    let (width, height) = (PAIRS * size + (PAIRS - 1) * GAP, 2 * size + GAP);
    let mut pixels = vec![255; width * height * 3];
    for pair in 0..PAIRS {
        let (view_a, view_b) = views.apply_u8(image, config.run.seed, 0, pair as u64);
        for (row, view) in [view_a, view_b].iter().enumerate() {
            let (left, top) = (pair * (size + GAP), row * (size + GAP));
            for (y, line) in view.preview().pixels().chunks_exact(size * 3).enumerate() {
                let start = ((top + y) * width + left) * 3;
                pixels[start..start + size * 3].copy_from_slice(line);
            }
        }
    }
    RgbImage8::new(width, height, pixels)
}
