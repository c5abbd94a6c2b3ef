//! Decoded images cached on disk, through the whole program. The cache folder is set as on Linux.

#![cfg(target_os = "linux")]

use crate::common;

use common::fixtures::labelled_images;
use common::{bytes, folder, metrics, train_on};
use std::fs;
use std::path::{Path, PathBuf};

/// The cache changes neither order nor pixels, so a run with it ends with the same bytes as one without.
#[test]
fn the_cache_on_disk_is_built_once_and_changes_nothing() {
    let folder = folder();
    let set = folder.path().join("set");
    for (number, (digit, file)) in labelled_images(6).iter().enumerate() {
        let class = set.join(format!(
            "{}/sign{digit}",
            if number % 3 == 0 { "test" } else { "train" }
        ));
        fs::create_dir_all(&class).unwrap();
        fs::copy(file, class.join(format!("{number}.jpg"))).unwrap();
    }
    for entry in fs::read_dir(set.join("train")).unwrap() {
        // Every class has test images, too.
        let class = entry.unwrap().file_name();
        fs::create_dir_all(set.join("test").join(&class)).unwrap();
        if fs::read_dir(set.join("test").join(&class)).unwrap().next().is_none() {
            let any = fs::read_dir(set.join("train").join(&class))
                .unwrap()
                .next()
                .unwrap()
                .unwrap();
            fs::copy(any.path(), set.join("test").join(&class).join("any.jpg")).unwrap();
        }
    }
    let cache = folder.path().join("cache");
    let with_cache = |name: &str, value: &str| {
        let run = folder.path().join(name);
        let output = train_on(&set, &run)
            .env("XDG_CACHE_HOME", &cache)
            .args(["--set", &format!("data.cache={value}")])
            .succeed();
        (output.stderr, bytes(&run, "backbone.safetensors"), metrics(&run).len())
    };
    let (_, plain, lines) = with_cache("off", "off");
    let (said, built, _) = with_cache("built", "disk");
    assert!(said.contains("cache") && said.contains("written"), "{said}");
    let (said, reused, reused_lines) = with_cache("reused", "disk");
    assert!(said.contains("cache") && said.contains("found"), "{said}");
    assert!(plain == built && built == reused && lines == reused_lines);

    // Reduced images are different, and so are the weights.
    let (_, reduced, _) = with_cache("reduced", "20");
    assert!(reduced != plain);

    // Damaged pixels stop the run with an error that says what to do; a damaged index is rebuilt.
    let caches: Vec<PathBuf> = walk(&cache)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "images"))
        .collect();
    assert_eq!(caches.len(), 4, "both parts, both sizes: {caches:?}");
    let flip = |file: &Path, at: fn(usize) -> usize| {
        let mut damaged = fs::read(file).unwrap();
        let at = at(damaged.len());
        damaged[at] ^= 0xFF;
        fs::write(file, damaged).unwrap();
    };
    caches.iter().for_each(|file| flip(file, |len| len / 2));
    let output = train_on(&set, &folder.path().join("damaged"))
        .env("XDG_CACHE_HOME", &cache)
        .args(["--set", "data.cache=disk"])
        .run();
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(
        output.stderr.contains("is damaged at") && output.stderr.contains("delete the file"),
        "{}",
        output.stderr
    );
    caches.iter().for_each(|file| flip(file, |len| len - 1));
    let (said, again, _) = with_cache("again", "disk");
    assert!(said.contains("rebuilt, because its checksum is wrong"), "{said}");
    assert!(again == plain);
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else {
            files.push(path);
        }
    }
    files
}
