//! An object's box with its class as a number.
//!
//! This file must not judge a box: sets hold odd ones, and what to do about them is the caller's decision.

use super::AnnotatedObject;

/// One object's place in an image.
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
    /// Hard to recognise; VOC's own scores leave such objects out.
    pub difficult: bool,
    /// The object goes on outside the image or behind another.
    pub truncated: bool,
}

impl BoundingBox {
    /// Whether the box has no width or no height (or a negative one): a slip of the mouse that many sets hold.
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
