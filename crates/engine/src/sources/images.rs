//! The images of a run.

use barlow_augment::Normalization;
use barlow_data::{DataFormat, ImageSource, LeftOut, Skipped};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The images of a run: those of its config ([`open`](super::open)), or a custom program's.
#[derive(Clone)]
pub struct Sources {
    /// Images to train on; their labels are used by the probes only.
    pub train: Arc<dyn ImageSource>,
    /// Images to evaluate features on.
    pub test: Option<Arc<dyn ImageSource>>,
    /// Names of the classes; empty without labels, and where an image has several.
    pub classes: Vec<String>,
    /// The format of the data set.
    pub format: DataFormat,
    /// Statistics that pixels are normalised with.
    pub normalization: Normalization,
    /// Images skipped because they could not be decoded.
    pub skipped: Skipped,
    /// Files, folders and lines of the data set that are not among the images.
    pub left_out: LeftOut,
    /// How the data set was read where it could be read otherwise, a line each.
    pub notes: Vec<String>,
    /// Test images that cannot be evaluated on, because they have no labels.
    pub unlabelled_test: usize,
    /// The fraction of the training images that was held out as test images.
    pub held_out: Option<f64>,
}

/// How many images a run has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageCounts {
    /// To train on.
    pub train: usize,
    /// To evaluate features on.
    pub test: usize,
    /// Classes; 0 without labels.
    pub classes: usize,
    /// Test images without labels, on which features cannot be evaluated.
    pub unlabelled_test: usize,
    /// The format of the data set.
    pub format: DataFormat,
}

#[cfg(test)]
impl ImageCounts {
    /// Those of the default recipe's images.
    pub(crate) fn shipped() -> Self {
        Self {
            train: 1662,
            test: 400,
            classes: 10,
            unlabelled_test: 0,
            format: DataFormat::Folder,
        }
    }
}

/// Which images a run is trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// How many.
    pub count: usize,
    /// A digest of their names and labels, in their order.
    pub fingerprint: String,
}

impl Sources {
    /// Images of a custom program. The probes evaluate their classes if each image has one label; test images without any
    /// are dropped then. The normalisation is not stored with a run: a resumed one must be given the same.
    pub fn of(train: Arc<dyn ImageSource>, test: Option<Arc<dyn ImageSource>>, normalization: Normalization) -> Self {
        let classes = classes(train.as_ref());
        let (test, unlabelled_test) = evaluated(test, &classes);
        Self {
            left_out: LeftOut::default(),
            notes: Vec::new(),
            unlabelled_test,
            held_out: None,
            classes,
            train,
            test,
            format: DataFormat::Auto,
            normalization,
            skipped: Skipped::default(),
        }
    }

    /// How many there are.
    pub fn counts(&self) -> ImageCounts {
        ImageCounts {
            train: self.train.len(),
            test: self.test.as_ref().map_or(0, |test| test.len()),
            classes: self.classes.len(),
            unlabelled_test: self.unlabelled_test,
            format: self.format,
        }
    }

    /// Which images are trained on; reads all their names.
    pub fn images(&self) -> Images {
        Images {
            count: self.train.len(),
            fingerprint: fingerprint(self.train.as_ref()),
        }
    }
}

/// Names of the classes. A probe cannot be evaluated on images with several labels or none.
pub(super) fn classes(source: &dyn ImageSource) -> Vec<String> {
    let labelled = !source.is_empty() && source.label(0).is_some();
    if labelled {
        source.classes().to_vec()
    } else {
        Vec::new()
    }
}

/// The test images that can be evaluated, and how many cannot be: next to class folders, those without classes of their own.
pub(super) fn evaluated(
    test: Option<Arc<dyn ImageSource>>,
    classes: &[String],
) -> (Option<Arc<dyn ImageSource>>, usize) {
    match test {
        Some(test) if !classes.is_empty() && (test.is_empty() || test.label(0).is_none()) => (None, test.len()),
        test => (test, 0),
    }
}

/// A digest of the names and labels of a set, in their order. Not of the files: that would access each of a million.
pub(crate) fn fingerprint(source: &dyn ImageSource) -> String {
    let mut hasher = blake3::Hasher::new();
    for class in source.classes() {
        hasher.update(class.as_bytes()).update(&[0]);
    }
    for index in 0..source.len() {
        hasher.update(source.name(index).as_bytes()).update(&[0]);
        for label in source.labels(index) {
            hasher.update(&(label as u64).to_le_bytes());
        }
    }
    hasher.finalize().to_hex()[..32].to_owned()
}
