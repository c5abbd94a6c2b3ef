//! Bounding boxes of objects, with their classes as numbers.
//!
//! This file must not reject a box: sets contain odd ones, and what to do about them is the caller's decision.

use super::AnnotatedObject;

/// The bounding box of one object in an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundingBox {
    /// The object's class, an index into the set's classes.
    pub class: usize,
    /// Left edge in pixels as annotated: VOC counts from 1 and includes both edges.
    pub xmin: f32,
    /// Upper edge.
    pub ymin: f32,
    /// Right edge.
    pub xmax: f32,
    /// Lower edge.
    pub ymax: f32,
    /// Hard to recognise; VOC's own scores ignore such objects.
    pub difficult: bool,
    /// The object extends outside the image or behind another one.
    pub truncated: bool,
}

impl BoundingBox {
    /// Whether the box has no width or no height (or a negative one): an annotation slip that occurs in many sets.
    #[must_use]
    pub fn is_degenerate(&self) -> bool {
        self.xmax <= self.xmin || self.ymax <= self.ymin
    }
}

/// The box of an object of class number `class`.
pub(super) fn boxed(object: &AnnotatedObject, class: usize) -> BoundingBox {
    let [xmin, ymin, xmax, ymax] = object.corners;
    BoundingBox {
        class,
        xmin,
        ymin,
        xmax,
        ymax,
        difficult: object.difficult,
        truncated: object.truncated,
    }
}
