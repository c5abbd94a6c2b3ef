//! Helpers that make small sets of images, valid and hostile.

// Each test binary uses only some of these helpers.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use barlow_augment::{Image8, Normalization, RgbImage8, ViewPreset, Views, ViewsConfig, encode_png};
use barlow_data::{DataError, ImageFolder, ImageSource};
use tempfile::TempDir;

/// A small image that differs for every `seed`.
pub fn image(seed: usize) -> RgbImage8 {
    RgbImage8::from_fn(12 + seed % 3, 10, |x, y| {
        [0, 1, 2].map(|c| ((x * 37 + y * 61 + c * 89 + seed * 53) % 256) as u8)
    })
}

/// Writes a file and the folders above it.
pub fn write(root: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

/// A folder with these images as PNG, each different.
pub fn folder(names: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (seed, name) in names.iter().enumerate() {
        write(dir.path(), name, &encode_png(&image(seed)).unwrap());
    }
    dir
}

/// Two classes, `per_class` images each.
pub fn two_classes(per_class: usize) -> TempDir {
    let names: Vec<String> = ["ant", "bee"]
        .iter()
        .flat_map(|class| (0..per_class).map(move |i| format!("{class}/{i:03}.png")))
        .collect();
    folder(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// An opened folder as a trait object.
pub fn source(dir: &TempDir) -> Arc<dyn ImageSource> {
    Arc::new(ImageFolder::open(dir.path(), 3).unwrap())
}

/// 8-pixel views.
pub fn views() -> Views {
    let config = ViewsConfig {
        preset: ViewPreset::Cifar,
        size: 8,
        ..Default::default()
    };
    Views::new(&config.groups(), Normalization::imagenet()).unwrap()
}

/// Adds hostile files: a truncated JPEG, text, an empty file, each with an image's name.
pub fn add_hostile_files(root: &Path) -> [PathBuf; 3] {
    // A JPEG's header followed by coded data that never ends.
    let cut = write(
        root,
        "ant/a_cut.jpg",
        b"\xFF\xD8\xFF\xE0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00",
    );
    let text = write(root, "ant/b_text.jpg", b"this is not an image\n");
    let empty = write(root, "bee/c_empty.png", b"");
    [cut, text, empty]
}

/// A source in memory that panics at one image.
pub struct Panicking(pub usize);

impl ImageSource for Panicking {
    fn len(&self) -> usize {
        20
    }
    fn classes(&self) -> &[String] {
        &[]
    }
    fn channels(&self) -> usize {
        3
    }
    fn label(&self, _: usize) -> Option<usize> {
        None
    }
    fn name(&self, index: usize) -> String {
        index.to_string()
    }
    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        assert!(index != self.0, "image {index} is cursed");
        Ok(Arc::new(image(index).into()))
    }
}
