//! Why a set for detection cannot be used: one-line messages that name the file and what to do.

use std::path::PathBuf;

use crate::{CocoError, DataError};

/// Why a set for detection cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetectionError {
    /// No layout that is known.
    #[error(
        "{} holds no set for detection: neither Pascal VOC's folders (JPEGImages, Annotations) nor COCO's annotation files \
         (annotations/*.json, or _annotations.coco.json next to the images)",
        path.display()
    )]
    NoLayout {
        /// The folder.
        path: PathBuf,
    },
    /// A part was not named, and which it is cannot be told.
    #[error("{}: no {part} images found among the parts {found}; name them with --set data.{part}=NAME", path.display())]
    NoPart {
        /// The folder.
        path: PathBuf,
        /// `train` or `test`.
        part: &'static str,
        /// What is there.
        found: String,
    },
    /// A part that is not there.
    #[error("{}: there is no part {name}; there are {found}", path.display())]
    UnknownPart {
        /// The folder.
        path: PathBuf,
        /// Its name.
        name: String,
        /// What is there.
        found: String,
    },
    /// Nothing of a part can be used.
    #[error("{}: none of the {listed} images of {name} can be used; {problem}", path.display())]
    NoImages {
        /// The folder.
        path: PathBuf,
        /// The part.
        name: String,
        /// How many it lists.
        listed: usize,
        /// The first kind of problem.
        problem: String,
    },
    /// No object in the training images.
    #[error("{}: the training images have no objects; look at their annotations", path.display())]
    NoObjects {
        /// The folder.
        path: PathBuf,
    },
    /// A part in COCO's format.
    #[error(transparent)]
    Coco(#[from] CocoError),
    /// A folder, a list or another file.
    #[error(transparent)]
    Data(#[from] DataError),
}
