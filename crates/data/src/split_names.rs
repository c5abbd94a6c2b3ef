//! What the names of folders and lists mean: splits, folders of images, and what lies beside these.
//!
//! This file must not access the disk: a class may be called like a split, so a name alone decides nothing.

use std::ffi::OsStr;

/// Names of the lists of evaluation images, in the order in which they are tried.
pub(crate) const TEST_NAMES: [&str; 6] = ["test", "testing", "val", "valid", "validation", "dev"];

/// The part of a set that a split is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Split3 {
    Train,
    Val,
    Test,
}

/// A split's name: `cars_train` is the training part of something called `cars`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) split: Split3,
    /// What else the name says, in lower case: empty for `train`, `Training`, `train2017` and `training_set`.
    pub(crate) of: String,
}

impl Role {
    /// Whether the name says nothing but the split. Any other name may as well be a class: `bullet_train`.
    pub(crate) fn is_plain(&self) -> bool {
        self.of.is_empty()
    }
}

/// Words for what every split is: they do not tell splits apart.
const FILLERS: [&str; 15] = [
    "data", "dataset", "folder", "image", "images", "img", "imgs", "jpeg", "jpg", "photos", "pictures", "png", "set",
    "sets", "split",
];

/// The split that a name stands for, in any capitals: `train`, `Training`, `train2017`, `training_set`, `cars_train`,
/// `trainA`. `None` for every other name.
pub(crate) fn role_of(name: &OsStr) -> Option<Role> {
    let name = name.to_str()?;
    let words: Vec<&str> = name
        .split(['_', '-', '.', ' '])
        .filter(|word| !word.is_empty())
        .collect();
    let number = words.iter().position(|word| split_of(word).is_some())?;
    // `train_test` and `test_train` are no split.
    if words
        .iter()
        .enumerate()
        .any(|(other, word)| other != number && split_of(word).is_some())
    {
        return None;
    }
    // In the middle of a name the word is no split's: `steam_train_museum`.
    if number != 0 && words[number + 1..].iter().any(|word| !is_filler(word)) {
        return None;
    }
    let (split, part) = split_of(words[number])?;
    let mut of: Vec<String> = Vec::new();
    for (other, word) in words.iter().enumerate() {
        if other != number && !is_filler(word) {
            of.push(word.to_lowercase());
        }
    }
    of.extend((!part.is_empty()).then(|| part.to_lowercase()));
    Some(Role {
        split,
        of: of.join("_"),
    })
}

fn is_filler(word: &str) -> bool {
    FILLERS.iter().any(|filler| filler.eq_ignore_ascii_case(word)) || word.bytes().all(|byte| byte.is_ascii_digit())
}

/// The split of a word, and a single capital after it: the `A` of `trainA`.
fn split_of(word: &str) -> Option<(Split3, &str)> {
    let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let is = |word: &str, names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(word));
    let of = |word: &str| {
        if is(word, &["train", "training", "trainset"]) {
            Some(Split3::Train)
        } else if is(word, &["val", "valid", "validation", "dev", "valset"]) {
            Some(Split3::Val)
        } else if is(word, &["test", "testing", "testset", "eval", "evaluation"]) {
            Some(Split3::Test)
        } else {
            None
        }
    };
    if let Some(split) = of(word) {
        return Some((split, ""));
    }
    let capital = word
        .char_indices()
        .next_back()
        .filter(|(at, c)| *at > 0 && c.is_ascii_uppercase())?;
    let (rest, part) = word.split_at(capital.0);
    // `TRAINA` is another word.
    rest.ends_with(|c: char| c.is_ascii_lowercase()).then_some(())?;
    Some((of(rest)?, part))
}

/// Whether a folder of this name holds the images of the folder above it: `CLASS/images`.
pub(crate) fn is_of_images(name: &OsStr) -> bool {
    let names = [
        "images",
        "image",
        "imgs",
        "img",
        "jpegimages",
        "jpg",
        "jpeg",
        "png",
        "photos",
        "pictures",
    ];
    name.to_str()
        .is_some_and(|name| names.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// Whether a folder of this name next to `images` holds what belongs to the images, such as `labels` or `masks`.
pub(crate) fn is_beside_images(name: &OsStr) -> bool {
    let words = [
        "imagesets",
        "annotation",
        "annotations",
        "annots",
        "bbox",
        "bboxes",
        "boxes",
        "depth",
        "depths",
        "gt",
        "groundtruth",
        "label",
        "labels",
        "lists",
        "mask",
        "masks",
        "meta",
        "metadata",
        "segmentation",
        "segmentations",
        "segmentationclass",
        "segmentationobject",
        "splits",
        "trimaps",
        "xml",
        "xmls",
    ];
    let known = |word: &str| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    let name = name.to_str().unwrap_or_default();
    known(name)
        || name.rsplit(['_', '-', ' ']).next().is_some_and(known)
        || name.split(['_', '-', ' ']).next().is_some_and(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_of_splits_are_known_in_any_capitals() {
        for (name, split, of) in [
            ("train", Split3::Train, ""),
            ("Training", Split3::Train, ""),
            ("TRAIN", Split3::Train, ""),
            ("train2017", Split3::Train, ""),
            ("train_2017", Split3::Train, ""),
            ("training_set", Split3::Train, ""),
            ("train-images", Split3::Train, ""),
            ("images_train", Split3::Train, ""),
            ("seg_train", Split3::Train, "seg"),
            ("cars_train", Split3::Train, "cars"),
            ("asl_alphabet_train", Split3::Train, "asl_alphabet"),
            ("trainA", Split3::Train, "a"),
            ("val2017", Split3::Val, ""),
            ("valid", Split3::Val, ""),
            ("Validation", Split3::Val, ""),
            ("dev", Split3::Val, ""),
            ("testing", Split3::Test, ""),
            ("Test Set", Split3::Test, ""),
            ("test_masks", Split3::Test, "masks"),
        ] {
            let role = role_of(OsStr::new(name)).unwrap_or_else(|| panic!("{name}"));
            assert_eq!((role.split, role.of.as_str()), (split, of), "{name}");
        }
    }

    #[test]
    fn other_names_are_no_splits() {
        for name in [
            "trains",
            "steam_train_museum",
            "TRAINA",
            "detest",
            "value",
            "train_test",
            "2017",
            "",
            "cat",
            "devil",
        ] {
            assert_eq!(role_of(OsStr::new(name)), None, "{name}");
        }
    }

    #[test]
    fn what_lies_beside_images_is_told_from_classes() {
        for name in [
            "labels",
            "Annotations",
            "masks",
            "train_masks",
            "mask_instances",
            "SegmentationClass",
        ] {
            assert!(is_beside_images(OsStr::new(name)), "{name}");
        }
        for name in ["cat", "unmasked", "images", "labelled"] {
            assert!(!is_beside_images(OsStr::new(name)), "{name}");
        }
    }
}
