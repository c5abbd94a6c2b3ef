//! Generated images in CIFAR-10's binary format: their content does not change the time of a training step.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

/// Bytes of an image: 32 × 32 pixels of three channels.
const PIXELS: usize = 3 * 32 * 32;
const CLASSES: usize = 10;
const TRAINING_FILES: usize = 5;

/// Writes `images` training images in five files, and a tenth as many test images, into `folder/cifar-10-batches-bin`.
pub fn write(folder: &Path, images: usize) -> Result<()> {
    let folder = folder.join("cifar-10-batches-bin");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let training = (1..=TRAINING_FILES).map(|number| format!("data_batch_{number}.bin"));
    let names = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n";
    fs::write(folder.join("batches.meta.txt"), names).context("cannot write the names of the classes")?;
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    for (name, count) in training
        .map(|name| (name, images / TRAINING_FILES))
        .chain([("test_batch.bin".to_owned(), images / 10)])
    {
        let path = folder.join(name);
        write_file(&path, count, &mut state).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn write_file(path: &Path, images: usize, state: &mut u64) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for image in 0..images {
        file.write_all(&[(image % CLASSES) as u8])?;
        for _ in 0..PIXELS / 8 {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            file.write_all(&state.to_le_bytes())?;
        }
    }
    file.flush()
}
