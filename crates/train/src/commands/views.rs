//! `views`: the two views of one image as a sheet of pixels, to look at before hours are spent on them.

use anyhow::Context;
use barlow_augment::{
    CropBox, Image8, Normalization, RgbImage8, TwinViews, decode_channels, encode_png, resize_bicubic,
};
use barlow_train::config::Config;
use barlow_train::console::print_result;
use barlow_train::error::AppError;
use barlow_train::run_dir::write_atomic;
use std::path::Path;

/// Pairs on a sheet.
const PAIRS: usize = 8;
/// Pixels between two views.
const GAP: usize = 2;

/// Writes a sheet: the image on the left, beside it view_a in the upper row and view_b in the lower one.
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
        "the image and {PAIRS} pairs of its views (view_a above view_b) are in {}",
        out.display()
    ));
    Ok(())
}

fn sheet(image: &Image8, views: &TwinViews, config: &Config) -> RgbImage8 {
    let size = config.views.size;
    let height = 2 * size + GAP;
    let original = fitted(image, 2 * size, height);
    let first = original.width() + 2 * GAP;
    let mut sheet = Sheet::new(first + PAIRS * (size + GAP) - GAP, height);
    sheet.put(&original, 0, (height - original.height()) / 2);
    for pair in 0..PAIRS {
        let (view_a, view_b) = views.apply_u8(image, config.run.seed, 0, pair as u64);
        for (row, view) in [view_a, view_b].iter().enumerate() {
            sheet.put(&view.preview(), first + pair * (size + GAP), row * (size + GAP));
        }
    }
    RgbImage8::new(sheet.width, height, sheet.pixels)
}

/// The image as large as it fits, its shape kept.
fn fitted(image: &Image8, width: usize, height: usize) -> RgbImage8 {
    let (from_width, from_height) = (image.width() as f64, image.height() as f64);
    let scale = (width as f64 / from_width).min(height as f64 / from_height);
    let side = |length: f64, most: usize| ((length * scale).round() as usize).clamp(1, most);
    let whole = CropBox::whole(image.width(), image.height());
    resize_bicubic(image, whole, side(from_width, width), side(from_height, height)).preview()
}

/// White paper.
struct Sheet {
    width: usize,
    pixels: Vec<u8>,
}

impl Sheet {
    fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            pixels: vec![255; 3 * width * height],
        }
    }

    fn put(&mut self, image: &RgbImage8, left: usize, top: usize) {
        for (y, line) in image.pixels().chunks_exact(3 * image.width()).enumerate() {
            let start = 3 * ((top + y) * self.width + left);
            self.pixels[start..start + line.len()].copy_from_slice(line);
        }
    }
}
