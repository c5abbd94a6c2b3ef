//! What is wrong with a set's images and objects: counted by kind, with the first of each.
//!
//! This file must not know a format.

use std::collections::BTreeMap;

/// Why an image or an object was skipped or changed. The order is that of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DetectionProblem {
    /// An image that is not there: skipped.
    MissingImage,
    /// An image without an annotation file: skipped.
    MissingAnnotation,
    /// An annotation file that is not one: its image is skipped.
    BadAnnotation,
    /// An object of an image that the file does not list: skipped.
    UnknownImage,
    /// An object of a class that is not known: skipped.
    UnknownClass,
    /// An object without a box: skipped.
    NoBox,
    /// An object whose box has no area within the image: skipped.
    NoArea,
    /// An object whose box reaches out of the image: cut at the border.
    Outside,
    /// An object whose mask is damaged: the mask is dropped, the box remains.
    BadMask,
}

impl DetectionProblem {
    /// What is wrong, after a number, with what happened.
    fn text(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::MissingImage => ("image", "that are not there", "skipped"),
            Self::MissingAnnotation => ("image", "without an annotation file", "skipped"),
            Self::BadAnnotation => ("annotation file", "that cannot be read", "their images are skipped"),
            Self::UnknownImage => ("object", "of images that the annotations do not list", "skipped"),
            Self::UnknownClass => (
                "object",
                "of classes that the training annotations do not have",
                "skipped",
            ),
            Self::NoBox => ("object", "without a box of four numbers", "skipped"),
            Self::NoArea => ("object", "whose box has no area within the image", "skipped"),
            Self::Outside => ("object", "whose box reaches out of the image", "cut at the border"),
            Self::BadMask => ("object", "with a damaged mask", "the mask is dropped, the box remains"),
        }
    }
}

/// How often each problem occurred, and where first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DetectionProblems(BTreeMap<DetectionProblem, (usize, String)>);

impl DetectionProblems {
    /// Adds one; `first` names where, for the first of its kind.
    pub(super) fn add(&mut self, problem: DetectionProblem, first: impl FnOnce() -> String) {
        self.add_many(problem, 1, first);
    }

    /// Adds several.
    pub(super) fn add_many(&mut self, problem: DetectionProblem, count: usize, first: impl FnOnce() -> String) {
        if count > 0 {
            self.0.entry(problem).or_insert_with(|| (0, first())).0 += count;
        }
    }

    /// Adds those of another part, after these.
    pub(super) fn extend(&mut self, others: Self) {
        for (problem, (count, first)) in others.0 {
            self.add_many(problem, count, || first);
        }
    }

    /// How often a problem occurred.
    #[must_use]
    pub fn count(&self, problem: DetectionProblem) -> usize {
        self.0.get(&problem).map_or(0, |(count, _)| *count)
    }

    /// A line for each kind: `2 objects whose box has no area within the image (skipped; first: a.xml, object 3)`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let line = |(problem, (count, first)): (&DetectionProblem, &(usize, String))| {
            let (noun, what, done) = problem.text();
            let plural = if *count == 1 { "" } else { "s" };
            format!("{count} {noun}{plural} {what} ({done}; first: {first})")
        };
        self.0.iter().map(line).collect()
    }
}
