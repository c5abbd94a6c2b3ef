//! What is wrong with the objects of an annotation file: counted, with the first of each kind.

use std::fmt;

/// Why an object was skipped or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CocoProblem {
    /// Its image is not in the file: skipped.
    UnknownImage,
    /// Its category is not in the file: skipped.
    UnknownCategory,
    /// It has no box, or one with a side that is not a number: skipped.
    NoBox,
    /// Its box has no area within the image: skipped.
    NoArea,
    /// Its box reaches more than a pixel out of the image: cut at the border.
    Outside,
    /// Its polygons have fewer than three points or coordinates that are not numbers, or its runs are of another size than the image:
    /// the segmentation was dropped, the box remains.
    BadSegmentation,
}

impl CocoProblem {
    /// All, in the order in which they are reported.
    pub const ALL: [Self; 6] = [
        Self::UnknownImage,
        Self::UnknownCategory,
        Self::NoBox,
        Self::NoArea,
        Self::Outside,
        Self::BadSegmentation,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::UnknownImage => "of an image that is not in the file (skipped)",
            Self::UnknownCategory => "of a category that is not in the file (skipped)",
            Self::NoBox => "without a box of four numbers (skipped)",
            Self::NoArea => "whose box has no area within the image (skipped)",
            Self::Outside => "whose box reaches out of the image (cut at the border)",
            Self::BadSegmentation => "with a damaged segmentation (dropped, the box remains)",
        }
    }
}

/// How often each problem occurred, and where first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CocoProblems {
    found: [Option<(usize, i64)>; 6],
}

impl CocoProblems {
    pub(super) fn add(&mut self, problem: CocoProblem, annotation: i64) {
        let (count, _) = self.found[problem as usize].get_or_insert((0, annotation));
        *count += 1;
    }

    /// How many objects have a problem.
    #[must_use]
    pub fn count(&self, problem: CocoProblem) -> usize {
        self.found[problem as usize].map_or(0, |(count, _)| count)
    }

    /// Id of the first annotation with a problem.
    #[must_use]
    pub fn first(&self, problem: CocoProblem) -> Option<i64> {
        self.found[problem as usize].map(|(_, first)| first)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.iter().all(Option::is_none)
    }
}

/// One line: `2 objects whose box has no area within the image (skipped; first: annotation 7), ..`.
impl fmt::Display for CocoProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for problem in CocoProblem::ALL {
            if let Some((count, first)) = self.found[problem as usize] {
                let objects = if count == 1 { "object" } else { "objects" };
                let text = problem.text();
                let text = text.strip_suffix(')').unwrap_or(text);
                write!(f, "{separator}{count} {objects} {text}; first: annotation {first})")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}
