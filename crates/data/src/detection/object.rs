//! Images and their objects, whatever format they were read from.
//!
//! This file must not know a format.

use std::path::PathBuf;
use std::sync::Arc;

use barlow_augment::Image8;

use super::DetectionProblems;
use crate::coco::Segmentation;
use crate::read::read_image;
use crate::{DataError, ImageSource};

/// An object of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectionObject {
    /// Number of its class.
    pub class: usize,
    /// x1, y1, x2, y2 in pixels, half-open, x1 < x2 and y1 < y2; within the image where its annotation has its size.
    pub corners: [f32; 4],
    /// Its area in pixels: COCO's annotated one, which is the mask's, or its box's.
    pub area: f64,
    /// VOC: hard to recognise. It trains, and a detection of it is neither correct nor wrong.
    pub difficult: bool,
    /// COCO: a group of objects. It does not train, and detections within it are neither correct nor wrong.
    pub crowd: bool,
    /// Its outline or its pixels.
    pub outline: Option<Segmentation>,
}

/// An image with its objects.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectionImage {
    /// Its file.
    pub path: PathBuf,
    /// Its path as the set names it.
    pub name: String,
    /// COCO's id of it; VOC has none: its number in the list.
    pub id: i64,
    /// Height and width in pixels as annotated.
    pub size: Option<[usize; 2]>,
    /// Its objects, in the annotation's order.
    pub objects: Vec<DetectionObject>,
}

/// One part of a set: the images to train on, or those to test on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DetectionSet {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// COCO's ids of the classes, for result files; empty for VOC.
    pub class_ids: Vec<i64>,
    /// The images.
    pub images: Vec<DetectionImage>,
    /// What was wrong with them.
    pub problems: DetectionProblems,
    /// Channels of the decoded images.
    pub channels: usize,
}

impl DetectionSet {
    /// How many objects there are.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.images.iter().map(|image| image.objects.len()).sum()
    }

    /// Decodes image `index`, upright.
    ///
    /// # Errors
    /// [`DataError`], one line with the path: it cannot be read or decoded, or has another size than its annotation says, so that its
    /// boxes would not fit.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn decode(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        let image = &self.images[index];
        let decoded = read_image(&image.path, self.channels)?;
        let found = [decoded.height(), decoded.width()];
        match image.size {
            Some(annotated) if annotated != found => Err(DataError::SizeDiffers {
                path: image.path.clone(),
                found,
                annotated,
            }),
            _ => Ok(decoded),
        }
    }
}

/// The images alone, several labels each.
impl ImageSource for DetectionSet {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn channels(&self) -> usize {
        self.channels
    }

    /// Always `None`: an image may hold several classes.
    fn label(&self, index: usize) -> Option<usize> {
        assert!(
            index < self.images.len(),
            "image {index} of a set of {}",
            self.images.len()
        );
        None
    }

    fn labels(&self, index: usize) -> Vec<usize> {
        let classes: std::collections::BTreeSet<usize> =
            self.images[index].objects.iter().map(|object| object.class).collect();
        classes.into_iter().collect()
    }

    fn name(&self, index: usize) -> String {
        self.images[index].name.clone()
    }

    fn image(&self, index: usize) -> Result<Arc<Image8>, DataError> {
        self.decode(index)
    }
}
