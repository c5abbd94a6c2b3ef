//! A set for detection: its layout, its parts, and the classes that they share.

use std::fmt;
use std::path::Path;

use super::{DetectionError, DetectionSet, coco, voc};
use crate::voc::find_voc;
use crate::{CocoCategory, DataError};

/// How a set's annotations lie on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetectionLayout {
    /// Pascal VOC: `JPEGImages`, `Annotations`, `ImageSets/Main`.
    Voc,
    /// COCO's annotation files.
    Coco,
}

impl fmt::Display for DetectionLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Voc => "VOC",
            Self::Coco => "COCO",
        })
    }
}

/// Which parts of a set are trained and tested on, by their names: of VOC `trainval` or, below a folder, `VOC2012/trainval`; of COCO
/// `train2017`. Nothing named: `trainval` or `train`, and `test` or `val`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DetectionParts {
    /// Parts to train on, one after the other.
    pub train: Vec<String>,
    /// The part to test on.
    pub test: Option<String>,
}

/// A set for detection.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectionSets {
    /// Its layout.
    pub layout: DetectionLayout,
    /// The parts that were read.
    pub parts: DetectionParts,
    /// Images to train on.
    pub train: DetectionSet,
    /// Images to test on, with the classes of the training images.
    pub test: DetectionSet,
}

/// Opens the set at `root`, whose images are decoded to `channels` channels. Every annotation is read; no image is.
///
/// # Errors
/// [`DetectionError`], one line: no known layout, a part that is not there, no usable image. Mistakes in single images and objects are
/// counted in [`DetectionSet::problems`].
pub fn open_detection(root: &Path, parts: &DetectionParts, channels: usize) -> Result<DetectionSets, DetectionError> {
    let coco = coco::parts(root);
    if !coco.is_empty() {
        let names: Vec<String> = coco.into_iter().map(|(name, _)| name).collect();
        let parts = chosen(root, parts, &names, &["train"], &["val", "test"])?;
        return open_coco(root, parts, channels);
    }
    let is_named = !parts.train.is_empty() && parts.test.is_some();
    let names = match find_voc(root) {
        Ok(voc) => voc::splits(&voc),
        // Several sets below the folder, whose parts are named with their folders.
        Err(DataError::Voc(crate::VocError::Several { .. })) if is_named => Vec::new(),
        Err(DataError::Voc(crate::VocError::NotVoc { .. })) => {
            return Err(DetectionError::NoLayout { path: root.into() });
        }
        Err(error) => return Err(error.into()),
    };
    let parts = chosen(root, parts, &names, &["trainval", "train"], &["test", "val"])?;
    open_voc(root, parts, channels)
}

/// The parts as they were named, or the first ones whose names begin with a usual word.
fn chosen(
    root: &Path,
    parts: &DetectionParts,
    names: &[String],
    train: &[&str],
    test: &[&str],
) -> Result<DetectionParts, DetectionError> {
    let usual = |part: &'static str, words: &[&str], taken: &[String]| {
        let free = |word: &&str| {
            let exact = names.iter().find(|name| name == word);
            exact.or_else(|| {
                let mut longer = names.iter().filter(|name| name.to_lowercase().starts_with(*word));
                // Of train2014 and train2017 neither is the usual one.
                let first = longer.next()?;
                longer.next().is_none().then_some(first)
            })
        };
        let found = words.iter().filter_map(free).find(|name| !taken.contains(name));
        found.cloned().ok_or_else(|| DetectionError::NoPart {
            path: root.into(),
            part,
            found: if names.is_empty() {
                "(none)".to_owned()
            } else {
                names.join(", ")
            },
        })
    };
    let train = match parts.train.is_empty() {
        true => vec![usual("train", train, &[])?],
        false => parts.train.clone(),
    };
    let test = match &parts.test {
        Some(test) => test.clone(),
        None => usual("test", test, &train)?,
    };
    Ok(DetectionParts {
        train,
        test: Some(test),
    })
}

fn open_voc(root: &Path, parts: DetectionParts, channels: usize) -> Result<DetectionSets, DetectionError> {
    let mut train = DetectionSet {
        channels,
        ..DetectionSet::default()
    };
    let mut named = Vec::new();
    for part in &parts.train {
        let (images, problems) = voc::read_part(root, part)?;
        named.extend(images);
        train.problems.extend(problems);
    }
    train.classes = voc::class_names(&named);
    train.images = voc::numbered(named, &train.classes, &mut train.problems);
    let name = parts.test.as_deref().unwrap_or_default();
    let (images, mut problems) = voc::read_part(root, name)?;
    let images = voc::numbered(images, &train.classes, &mut problems);
    let test = DetectionSet {
        images,
        problems,
        ..empty_like(&train)
    };
    with_objects(root, DetectionLayout::Voc, parts, train, test)
}

fn open_coco(root: &Path, parts: DetectionParts, channels: usize) -> Result<DetectionSets, DetectionError> {
    let mut train = DetectionSet {
        channels,
        ..DetectionSet::default()
    };
    let add = |name: &str, set: &mut DetectionSet| -> Result<(), DetectionError> {
        let (own, mut images, mut problems): (Vec<CocoCategory>, _, _) = coco::read_part(root, name)?;
        if set.classes.is_empty() {
            set.classes = own.iter().map(|category| category.name.clone()).collect();
            set.class_ids = own.iter().map(|category| category.id).collect();
        }
        coco::renumber(&mut images, &own, &set.classes, &mut problems);
        set.images.extend(images);
        set.problems.extend(problems);
        Ok(())
    };
    for part in &parts.train {
        add(part, &mut train)?;
    }
    let mut test = empty_like(&train);
    add(parts.test.as_deref().unwrap_or_default(), &mut test)?;
    with_objects(root, DetectionLayout::Coco, parts, train, test)
}

/// The same classes, without images.
fn empty_like(set: &DetectionSet) -> DetectionSet {
    DetectionSet {
        classes: set.classes.clone(),
        class_ids: set.class_ids.clone(),
        channels: set.channels,
        ..DetectionSet::default()
    }
}

fn with_objects(
    root: &Path,
    layout: DetectionLayout,
    parts: DetectionParts,
    train: DetectionSet,
    test: DetectionSet,
) -> Result<DetectionSets, DetectionError> {
    if train.objects() == 0 {
        return Err(DetectionError::NoObjects { path: root.into() });
    }
    Ok(DetectionSets {
        layout,
        parts,
        train,
        test,
    })
}
