//! Conversion of STL-10's binary files to folders of PNG files, which the program reads.
//!
//! The layout, from the set's page: three planes of 96x96 bytes per image (red, green, blue), each column by column;
//! labels are bytes that count from 1. This file must not know where the files come from.

use super::progress::{Progress, Unit};
use super::unpack::create_folder;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read};
use std::path::{Component, Path};

/// Pixels along a side.
const SIDE: usize = 96;
/// Bytes of an image.
const IMAGE_BYTES: usize = 3 * SIDE * SIDE;

/// Reads `train_X.bin`, `train_y.bin`, `test_X.bin`, `test_y.bin`, `unlabeled_X.bin`, `class_names.txt` and
/// `fold_indices.txt` in `from` and writes `train/CLASS/NUMBER.png`, `test/CLASS/NUMBER.png`, `unlabeled/NUMBER.png` and
/// `fold_indices.txt` into `to`. NUMBER counts from 0 in the order of the files, as the folds do.
pub fn convert(from: &Path, to: &Path) -> Result<()> {
    let classes = classes(&from.join("class_names.txt"))?;
    for split in ["train", "test"] {
        let labels = read(&from.join(format!("{split}_y.bin")))?;
        let images = from.join(format!("{split}_X.bin"));
        let folders: Vec<_> = classes.iter().map(|class| to.join(split).join(class)).collect();
        for folder in &folders {
            create_folder(folder)?;
        }
        let count = count(&images)?;
        ensure!(
            labels.len() == count,
            "{} holds {count} images, but there are {} labels",
            images.display(),
            labels.len()
        );
        each(&images, count, |number, pixels| {
            let label = usize::from(labels[number]);
            let folder = label.checked_sub(1).and_then(|label| folders.get(label));
            let folder = folder.with_context(|| {
                let classes = classes.len();
                format!(
                    "image {number} of {} has label {label}, not 1 to {classes}",
                    images.display()
                )
            })?;
            write_png(&folder.join(format!("{number:05}.png")), pixels)
        })?;
    }
    let (images, folder) = (from.join("unlabeled_X.bin"), to.join("unlabeled"));
    create_folder(&folder)?;
    each(&images, count(&images)?, |number, pixels| {
        write_png(&folder.join(format!("{number:06}.png")), pixels)
    })?;
    let folds = from.join("fold_indices.txt");
    fs::copy(&folds, to.join("fold_indices.txt")).with_context(|| format!("cannot copy {}", folds.display()))?;
    Ok(())
}

/// Converts one image of the file to rows of RGB: `planes[c][x][y]` becomes `pixels[y][x][c]`.
fn to_rows(planes: &[u8], pixels: &mut [u8]) {
    for (index, pixel) in pixels.chunks_exact_mut(3).enumerate() {
        let (y, x) = (index / SIDE, index % SIDE);
        for (c, value) in pixel.iter_mut().enumerate() {
            *value = planes[(c * SIDE + x) * SIDE + y];
        }
    }
}

fn each(images: &Path, count: usize, mut write: impl FnMut(usize, &[u8]) -> Result<()>) -> Result<()> {
    let name = images.file_name().unwrap_or_default().to_string_lossy();
    let mut progress = Progress::new(format!("{name} to PNG"), Unit::Images, 0, count as u64);
    let unreadable = || format!("cannot read {}", images.display());
    let mut file = BufReader::with_capacity(64 * IMAGE_BYTES, File::open(images).with_context(unreadable)?);
    let (mut planes, mut pixels) = (vec![0; IMAGE_BYTES], vec![0; IMAGE_BYTES]);
    for number in 0..count {
        file.read_exact(&mut planes).with_context(unreadable)?;
        to_rows(&planes, &mut pixels);
        write(number, &pixels)?;
        progress.advance(1);
    }
    Ok(())
}

fn write_png(path: &Path, pixels: &[u8]) -> Result<()> {
    let unwritable = || format!("cannot write {}", path.display());
    let file = BufWriter::new(File::create_new(path).with_context(unwritable)?);
    let mut encoder = png::Encoder::new(file, SIDE as u32, SIDE as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().with_context(unwritable)?;
    writer.write_image_data(pixels).with_context(unwritable)?;
    writer.finish().with_context(unwritable)
}

/// The number of images in the file.
fn count(images: &Path) -> Result<usize> {
    let len = fs::metadata(images)
        .with_context(|| format!("cannot read {}", images.display()))?
        .len();
    ensure!(
        len % IMAGE_BYTES as u64 == 0,
        "{} has {len} bytes, which is not a multiple of the {IMAGE_BYTES} of an image",
        images.display()
    );
    usize::try_from(len / IMAGE_BYTES as u64).with_context(|| format!("{} is too large", images.display()))
}

/// Names of the classes, one per line; each becomes a folder.
fn classes(path: &Path) -> Result<Vec<String>> {
    let text = String::from_utf8(read(path)?).with_context(|| format!("{} is not a text file", path.display()))?;
    let names: Vec<String> = text
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    for name in &names {
        let mut parts = Path::new(name).components();
        let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
        ensure!(
            plain,
            "{} names a class {name:?}, which is not a folder name",
            path.display()
        );
    }
    ensure!(!names.is_empty(), "{} names no class", path.display());
    Ok(names)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
