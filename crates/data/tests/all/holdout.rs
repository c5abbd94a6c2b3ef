//! Tests of held-out images: whole groups, the same for the same seed, and never in a batch.

use crate::common;

use std::collections::BTreeSet;
use std::sync::Arc;

use barlow_data::{FileList, ImageSource, LoaderConfig, ViewLoader, hold_out};
use common::{folder, source, two_classes, views, write};

fn names(set: &dyn ImageSource) -> BTreeSet<String> {
    (0..set.len()).map(|index| set.name(index)).collect()
}

#[test]
fn no_held_out_image_is_ever_in_a_batch() {
    let dir = two_classes(20);
    let whole = source(&dir);
    for seed in 0..3 {
        let parts = hold_out(&whole, 0.2, seed).unwrap();
        let held_out = names(&parts.test);
        assert_eq!(held_out.len(), 8);
        let train: Arc<dyn ImageSource> = Arc::new(parts.train);
        let config = LoaderConfig {
            batch_size: 5,
            seed,
            drop_last: false,
            ..LoaderConfig::default()
        };
        let loader = ViewLoader::new(Arc::clone(&train), views(), config).unwrap();
        let mut seen = BTreeSet::new();
        for epoch in 0..4 {
            for batch in loader.epoch(epoch, 0) {
                seen.extend(batch.unwrap().indices.iter().map(|&index| train.name(index)));
            }
        }
        assert!(seen.is_disjoint(&held_out), "seed {seed}");
        assert_eq!(&seen | &held_out, names(&*whole), "every image is on one side");
    }
}

#[test]
fn a_group_and_an_image_listed_twice_stay_on_one_side() {
    let files: Vec<String> = (0..60).map(|number| format!("{number}.png")).collect();
    let dir = folder(&files.iter().map(String::as_str).collect::<Vec<_>>());
    // Twelve patients of five images; each image is of one of two classes.
    let rows = files
        .iter()
        .enumerate()
        .map(|(number, file)| format!("{file},{},p{}\n", number / 5 % 2, number / 5));
    let text = format!("image,label,patient\n{}", rows.collect::<String>());
    let list = write(dir.path(), "table.csv", text.as_bytes());
    let options = barlow_data::ListOptions {
        columns: Some("image,label,patient".parse().unwrap()),
        ..Default::default()
    };
    let set: Arc<dyn ImageSource> = Arc::new(FileList::open_with(&list, &options).unwrap());
    for seed in 0..10 {
        let parts = hold_out(&set, 0.2, seed).unwrap();
        let groups = |part: &dyn ImageSource| (0..part.len()).map(|index| part.group(index)).collect::<BTreeSet<_>>();
        assert!(groups(&parts.train).is_disjoint(&groups(&parts.test)), "seed {seed}");
        assert_eq!(parts.test.len(), 10, "one patient of each class");
    }
    let twice = files.iter().chain(&files).map(|file| format!("{file}\n"));
    let list = write(dir.path(), "twice.txt", twice.collect::<String>().as_bytes());
    let set: Arc<dyn ImageSource> = Arc::new(FileList::open(&list, None, 3).unwrap());
    let parts = hold_out(&set, 0.1, 1).unwrap();
    assert!(names(&parts.train).is_disjoint(&names(&parts.test)));
    assert_eq!(parts.test.len(), 12);
}
