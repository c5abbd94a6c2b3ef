//! The training and test images of a set, with one numbering of the classes.
//!
//! This file must not cut a set in two by itself: what is held out is the caller's decision.

use std::path::Path;

use crate::{DataError, ImageFolder};

/// Folder names of the held-out images, the first that is there.
const TEST_NAMES: [&str; 2] = ["test", "val"];

/// Training images and, if the set has them, test images. Labels of both count in the training classes.
#[derive(Debug, Clone)]
pub struct Splits {
    /// The images to train on.
    pub train: ImageFolder,
    /// The images to evaluate on.
    pub test: Option<ImageFolder>,
}

impl Splits {
    /// Opens `root/train` with `root/test` (or else `root/val`); a root without `train` is the training set itself.
    /// Test images without class folders are taken as they are, without labels. Images are given with `channels` channels.
    ///
    /// # Errors
    /// As [`ImageFolder::open`], and [`DataError::UnknownClass`] for a test class without training images.
    pub fn open(root: impl AsRef<Path>, channels: usize) -> Result<Self, DataError> {
        let root = root.as_ref();
        let train = root.join("train");
        if !train.is_dir() {
            return Ok(Self {
                train: ImageFolder::open(root, channels)?,
                test: None,
            });
        }
        let train = ImageFolder::open(train, channels)?;
        let test = match TEST_NAMES.map(|name| root.join(name)).iter().find(|path| path.is_dir()) {
            Some(path) => Some(ImageFolder::open(path, channels)?.with_classes(train.classes())?),
            None => None,
        };
        Ok(Self { train, test })
    }
}
