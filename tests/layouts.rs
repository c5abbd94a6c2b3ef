//! Layouts of data sets as they are published and as computers leave them: what `data` finds in each, by class and split.

use crate::common;

use common::fixtures::labelled_images;
use common::{Program, folder};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder that is filled file by file, each with another image.
struct Set {
    root: tempfile::TempDir,
    images: std::vec::IntoIter<PathBuf>,
}

impl Set {
    fn new() -> Self {
        let images: Vec<PathBuf> = labelled_images(8).into_iter().map(|(_, file)| file).collect();
        Self {
            root: folder(),
            images: images.into_iter(),
        }
    }

    fn path(&self) -> &Path {
        self.root.path()
    }

    /// Images at these paths; `{3}` at the end of a path stands for three images in it.
    fn images(mut self, paths: &[&str]) -> Self {
        for path in paths {
            let (folder, count) = path.split_once('{').expect("a path with a count");
            let count: usize = count.trim_end_matches('}').parse().expect("a count");
            for number in 0..count {
                self.image(&format!("{folder}{number:03}.jpg"));
            }
        }
        self
    }

    fn image(&mut self, path: &str) {
        let to = self.path().join(path);
        fs::create_dir_all(to.parent().expect("below the root")).unwrap();
        fs::copy(self.images.next().expect("there are enough images"), to).unwrap();
    }

    fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let to = self.path().join(path);
        fs::create_dir_all(to.parent().expect("below the root")).unwrap();
        fs::write(to, text).unwrap();
        self
    }

    /// What `data` says of the folder, or of a path in it.
    fn found(&self, path: &str, flags: &[&str]) -> Value {
        let output = Program::new()
            .folder(self.path())
            .args(["data", "--json", "--out"])
            .arg(self.path().join("sheet-of-the-test.png"))
            .arg("--data")
            .arg(self.path().join(path))
            .args(flags)
            .succeed();
        fs::remove_file(self.path().join("sheet-of-the-test.png")).unwrap();
        serde_json::from_str(&output.stdout).expect("an object")
    }
}

/// `a 3, b 2` for a part with classes, `5` for one without.
fn described(part: &Value) -> String {
    let classes = part["classes"].as_array().expect("classes");
    if classes.is_empty() {
        return part["images"].to_string();
    }
    let counted = classes
        .iter()
        .map(|class| format!("{} {}", class["name"].as_str().unwrap_or("?"), class["images"]));
    counted.collect::<Vec<_>>().join(", ")
}

#[track_caller]
fn check(found: &Value, train: &str, test: &str) {
    let test_found = if found["test"].is_null() {
        "none".to_owned()
    } else {
        described(&found["test"])
    };
    assert_eq!(
        (described(&found["train"]).as_str(), test_found.as_str()),
        (train, test),
        "{found}"
    );
}

#[test]
fn tiny_imagenet_has_its_classes() {
    let set = Set::new()
        .images(&[
            "train/n01443537/images/{3}",
            "train/n01629819/images/{2}",
            "val/images/{4}",
            "test/images/{2}",
        ])
        .file("train/n01443537/n01443537_boxes.txt", "000.JPEG\t0\t32\t44\t62\n");
    let found = set.found("", &[]);
    assert_eq!(described(&found["train"]), "n01443537 3, n01629819 2");
}

#[test]
fn a_labelled_split_is_judged_on_before_an_unlabelled_one() {
    let set = Set::new().images(&["train/a/{3}", "train/b/{3}", "val/a/{2}", "val/b/{1}", "test/{4}"]);
    check(&set.found("", &[]), "a 3, b 3", "a 2, b 1");
}

#[test]
fn a_class_that_is_called_like_a_split_is_a_class() {
    let set = Set::new().images(&["airplane/{2}", "bus/{2}", "train/{3}", "zebra/{2}"]);
    check(&set.found("", &[]), "airplane 2, bus 2, train 3, zebra 2", "none");
}

#[test]
fn splits_have_many_names() {
    for (train, test) in [
        ("Training", "Testing"),
        ("Train", "Test"),
        ("TRAIN", "VALID"),
        ("training_set", "test_set"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train", "dev"),
    ] {
        let paths = [("a", 3), ("b", 2)].map(|(class, count)| format!("{train}/{class}/{{{count}}}"));
        let tests = [("a", 1), ("b", 2)].map(|(class, count)| format!("{test}/{class}/{{{count}}}"));
        let set = Set::new()
            .images(&paths.each_ref().map(String::as_str))
            .images(&tests.each_ref().map(String::as_str));
        check(&set.found("", &[]), "a 3, b 2", "a 1, b 2");
    }
    for (train, test) in [("cars_train", "cars_test"), ("train2017", "val2017")] {
        let set = Set::new().images(&[&format!("{train}/{{4}}"), &format!("{test}/{{3}}")]);
        check(&set.found("", &[]), "4", "3");
    }
}

#[test]
fn folders_below_a_class_belong_to_it() {
    let set = Set::new().images(&["cat/{2}", "cat/indoors/{2}", "cat/indoors/night/{1}", "dog/{2}"]);
    check(&set.found("", &[]), "cat 5, dog 2", "none");
}

#[test]
fn what_computers_leave_behind_is_no_class() {
    let set = Set::new()
        .images(&[
            "cat/{2}",
            "dog/{2}",
            "__MACOSX/cat/{1}",
            "@eaDir/{1}",
            "lost+found/{1}",
            ".ipynb_checkpoints/{1}",
            "cat/.thumbnails/{1}",
        ])
        .file("cat/._000.jpg", "resource fork")
        .file("cat/Thumbs.db", "thumbnails")
        .file(".DS_Store", "desktop")
        .file("cat/photo.heic", "\0\0\0\u{18}ftypheic")
        .file("cat/list.json", "{}");
    let found = set.found("", &[]);
    check(&found, "cat 2, dog 2", "none");
    let skipped = |reason: &str, extension: &str| {
        let all = found["skipped"].as_array().expect("a list");
        let of = |entry: &&Value| entry["reason"] == reason && entry["extension"].as_str().unwrap_or("") == extension;
        all.iter()
            .find(of)
            .map(|entry| entry["count"].as_u64().expect("a count"))
    };
    assert_eq!(skipped("other-format", "heic"), Some(1), "{found}");
    assert_eq!(skipped("other-file", "json"), Some(1), "{found}");
    assert!(skipped("leftover", "") >= Some(5), "{found}");
}

#[test]
fn a_run_in_the_data_folder_is_no_class() {
    let set = Set::new().images(&["cat/{4}", "dog/{4}"]);
    let run = Program::new()
        .folder(set.path())
        .args([
            "--config",
            "smoke",
            "--backend",
            "cpu",
            "--quiet",
            "--epochs",
            "1",
            "--batch-size",
            "4",
        ])
        .args(["--data", "."]);
    run.succeed();
    assert!(set.path().join("runs").is_dir());
    check(&set.found("", &[]), "cat 4, dog 4", "none");
}

#[test]
fn exports_with_boxes_beside_the_images_are_unlabelled() {
    for [train, valid, labels] in [
        ["train/images", "valid/images", "train/labels"],
        ["images/train", "images/valid", "labels/train"],
    ] {
        let set = Set::new()
            .images(&[&format!("{train}/{{4}}"), &format!("{valid}/{{2}}")])
            .file(&format!("{labels}/000.txt"), "0 0.5 0.5 0.2 0.2\n")
            .file("data.yaml", "nc: 1\nnames: ['thing']\n");
        check(&set.found("", &[]), "4", "2");
    }
}

#[test]
fn a_composed_and_a_decomposed_name_are_one_class() {
    let set = Set::new().images(&[
        "train/caf\u{e9}/{3}",
        "train/tea/{2}",
        "test/cafe\u{301}/{2}",
        "test/tea/{1}",
    ]);
    check(&set.found("", &[]), "caf\u{e9} 3, tea 2", "caf\u{e9} 2, tea 1");
}

#[test]
fn lists_as_they_are_published_are_read() {
    let set = Set::new()
        .images(&["images/apple_pie/{3}", "images/waffles/{2}"])
        .file(
            "food.txt",
            "apple_pie/000\napple_pie/001\napple_pie/002\nwaffles/000\nwaffles/001\n",
        )
        .file("numbered.txt", "1 images/apple_pie/000.jpg\n2 images/waffles/001.jpg\n")
        .file(
            "table.csv",
            "label,\"image\",note\nsweet,images/apple_pie/000.jpg,\"a, b\"\nsalty,images/waffles/000.jpg,\n",
        );
    let root = format!("data.list_root={:?}", set.path().join("images"));
    check(
        &set.found("food.txt", &["--set", &root]),
        "apple_pie 3, waffles 2",
        "none",
    );
    check(&set.found("numbered.txt", &[]), "apple_pie 1, waffles 1", "none");
    let columns = ["--set", "data.columns=\"image,label\""];
    check(&set.found("table.csv", &columns), "salty 1, sweet 1", "none");
}

#[test]
fn a_held_out_part_is_stratified_and_depends_on_the_seed() {
    let set = Set::new().images(&["a/{20}", "b/{10}"]);
    let found = set.found("", &["--set", "data.holdout=0.2"]);
    check(&found, "a 16, b 8", "a 4, b 2");
    assert_eq!(found["duplicates"]["test_in_train"]["count"], 0);
}
