//! Data sets as users have them, good and bad, made from the shipped images.

use super::root;
use std::path::{Path, PathBuf};

/// Makes `sets/…` below `folder`: `good` (two classes, train and test), `empty`, `empty-class`, `one-class`, `truncated`
/// and `text` (each one bad file among good ones), `flat` (no labels), `cut-cifar` (records cut short), `lost.txt` (a list
/// with a missing file).
pub fn sets(folder: &Path) {
    for split in ["train", "test"] {
        for (label, digit) in ["zero", "one"].into_iter().zip(["0", "1"]) {
            copy_class(folder, &format!("good/{split}/{label}"), digit);
        }
        copy_class(folder, &format!("one-class/{split}/zero"), "0");
    }
    for set in ["truncated", "text", "empty-class"] {
        copy_class(folder, &format!("{set}/train/one"), "1");
    }
    copy_class(folder, "truncated/train/zero", "0");
    copy_class(folder, "text/train/zero", "0");
    copy_class(folder, "flat", "0");
    let sets = folder.join("sets");
    make(&sets.join("empty"));
    std::fs::write(sets.join("empty/notes.txt"), "no images here").unwrap();
    make(&sets.join("empty-class/train/zero"));
    let whole = std::fs::read(&images("0")[0]).unwrap();
    std::fs::write(sets.join("truncated/train/zero/half.jpg"), &whole[..whole.len() / 2]).unwrap();
    make(&sets.join("cut-cifar"));
    let names: String = (0..10).map(|class| format!("class {class}\n")).collect();
    std::fs::write(sets.join("cut-cifar/batches.meta.txt"), names).unwrap();
    for batch in 1..=5 {
        std::fs::write(sets.join(format!("cut-cifar/data_batch_{batch}.bin")), vec![0; 3000]).unwrap();
    }
    let first = std::fs::canonicalize(&images("0")[0]).unwrap();
    std::fs::write(sets.join("lost.txt"), format!("{}\nno/such.jpg\n", first.display())).unwrap();
    std::fs::write(sets.join("text/train/zero/notes.jpg"), "this is a text").unwrap();
}

/// Twelve images of a digit as a class folder.
fn copy_class(folder: &Path, class: &str, digit: &str) {
    let class = folder.join("sets").join(class);
    make(&class);
    for image in images(digit) {
        std::fs::copy(&image, class.join(image.file_name().unwrap())).unwrap();
    }
}

fn images(digit: &str) -> Vec<PathBuf> {
    let folder = root().join("assets/sign-digits-64/test").join(digit);
    let mut images: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    images.sort();
    images.truncate(12);
    images
}

fn make(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
}

/// Images of the shipped set: (digit, file), the first `per_class` of every digit.
pub fn labelled_images(per_class: usize) -> Vec<(usize, PathBuf)> {
    let mut found = Vec::new();
    for digit in 0..10 {
        let folder = root().join(format!("assets/sign-digits-64/test/{digit}"));
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        found.extend(files.into_iter().take(per_class).map(|file| (digit, file)));
    }
    // As in the published sets: not sorted by class.
    found.sort_by_key(|(_, file)| file.file_name().unwrap().to_owned());
    found
}
